import { CHUNK, kernel } from './kernel.js';

/** sum += addend, float32, arrays of one length. */
export function addInto(sum: Float32Array, addend: Float32Array): void {
  const chunk = kernel();
  for (let from = 0; from < sum.length; from += CHUNK) {
    const to = Math.min(sum.length, from + CHUNK);
    chunk.parameters.set(sum.subarray(from, to));
    chunk.gradients.set(addend.subarray(from, to));
    chunk.add(to - from);
    sum.set(chunk.parameters.subarray(0, to - from), from);
  }
}
