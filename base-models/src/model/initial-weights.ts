import { float32Tensor, type LlamaConfig, llamaTensorShapes, type Tensor } from '@tunefleet/model-formats';
import { randomStream } from '@tunefleet/models';

/** Standard deviation of the embedding and of matrices that read the residual stream (GPT-2). */
const DEVIATION = 0.02;

/**
 * Untrained weights: normal, norms at 1; matrices that write to the residual stream are smaller by sqrt(2 layers), so that its variance does
 * not grow with depth (Radford et al., GPT-2).
 */
export function initialWeights(config: LlamaConfig, seed: number): Tensor[] {
  let index = 0;
  return [...llamaTensorShapes(config)].map(([name, shape]) => {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const random = randomStream(seed, 'weightInit', index++);
    if (shape.length === 1) values.fill(1);
    else {
      const deviation = /\.(?:o_proj|down_proj)\.weight$/.test(name) ? DEVIATION / Math.sqrt(2 * config.layers) : DEVIATION;
      for (let i = 0; i < values.length; i++) values[i] = deviation * random.normal();
    }
    return float32Tensor(name, shape, values);
  });
}
