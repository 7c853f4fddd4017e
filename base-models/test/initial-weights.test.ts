import { expect, test } from '@jest/globals';
import { llamaTensorShapes, type Tensor, weightsSha256 } from '@tunefleet/model-formats';
import { initialWeights } from '../src/model/initial-weights.js';
import { CONFIG } from '../src/recipe.js';

// Small: global names such as Math are slow to reach from jest's contexts.
const small = { ...CONFIG, vocabularySize: 64, hiddenSize: 32, intermediateSize: 64, heads: 1, keyValueHeads: 1 };
const floats = ({ data }: Tensor): Float32Array => new Float32Array(data.buffer, data.byteOffset, data.byteLength / 4);

test('untrained weights are a function of the seed', () => {
  const tensors = initialWeights(small, 1);
  expect(tensors.map(({ name }) => name)).toEqual([...llamaTensorShapes(small).keys()]);
  expect(weightsSha256(initialWeights(small, 1))).toBe(weightsSha256(tensors));
  expect(weightsSha256(initialWeights(small, 2))).not.toBe(weightsSha256(tensors));
});

test('deviations: 0.02, less where the residual stream is written, norms at 1', () => {
  const deviations = new Map(
    initialWeights(small, 1).map((tensor) => [
      tensor.name,
      Math.sqrt(floats(tensor).reduce((sum, x) => sum + x * x, 0) / floats(tensor).length),
    ]),
  );
  expect(deviations.get('model.embed_tokens.weight')).toBeCloseTo(0.02, 2);
  expect(deviations.get('model.layers.0.mlp.down_proj.weight')).toBeCloseTo(0.02 / Math.sqrt(8), 3);
  expect(deviations.get('model.norm.weight')).toBe(1);
});
