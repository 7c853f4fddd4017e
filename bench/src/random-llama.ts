import { float32Tensor, type LlamaConfig, llamaTensorShapes, writeLlamaFolder } from '@tunefleet/model-formats';
import { randomStream } from '@tunefleet/models';

/** Widest absolute value of a random weight. */
const SCALE = 0.035;

/** Writes a Hugging Face folder of seeded random weights: uniform, norms at 1; `bfloat16`: numbers of that format, in float32. */
export async function writeRandomLlama(folder: string, config: LlamaConfig, { bfloat16 = false } = {}): Promise<void> {
  const random = randomStream(1, 'shuffle', 0);
  const tensors = [...llamaTensorShapes(config)].map(([name, shape]) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
    if (!name.endsWith('norm.weight')) for (let at = 0; at < data.length; at++) data[at] = (2 * random.uniform() - 1) * SCALE;
    const bits = new Uint32Array(data.buffer);
    if (bfloat16) for (let at = 0; at < bits.length; at++) bits[at]! &= 0xffff0000;
    return float32Tensor(name, shape, data);
  });
  await writeLlamaFolder(folder, config, tensors);
}
