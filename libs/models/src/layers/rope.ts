import type { LlamaConfig } from '@tunefleet/model-formats';

/** Cosines and sines by position, float32 [positions, headSize / 2] each (Su et al., "RoFormer"). */
export interface RopeTable {
  positions: number;
  cos: Float32Array;
  sin: Float32Array;
}

export function ropeTable({ headSize, ropeTheta }: Pick<LlamaConfig, 'headSize' | 'ropeTheta'>, positions: number): RopeTable {
  const width = headSize / 2;
  const cos = new Float32Array(positions * width);
  const sin = new Float32Array(positions * width);
  for (let i = 0; i < width; i++) {
    // transformers keeps the frequency in float32; so do we, or late positions would turn by other angles than it trained on.
    const frequency = Math.fround(1 / ropeTheta ** ((2 * i) / headSize));
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency);
      cos[position * width + i] = Math.cos(angle);
      sin[position * width + i] = Math.sin(angle);
    }
  }
  return { positions, cos, sin };
}
