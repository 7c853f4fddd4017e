import { expect, test } from '@jest/globals';
import { compile, crossEntropy, evaluate, GraphBuilder, gradients, linear, matmul, reduceSum, silu } from '../../src/index.js';

test('a graph of symbolic length runs forward and backward and agrees with its float64 meaning at two lengths', async () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['tokens', 4]);
  const ids = g.input('ids', 'i32', ['tokens']);
  const w = g.parameter('w', [3, 4]);
  const frozen = g.frozen('f', [3, 3], { data: Float32Array.from({ length: 9 }, (_, i) => i / 9) });
  const loss = reduceSum(crossEntropy(matmul(silu(linear(x, w)), frozen), ids));
  const [dw] = gradients(loss, [w]);
  const executable = await compile({ outputs: { loss, dw } });
  for (const tokens of [5, 2]) {
    const feeds = {
      x: Float32Array.from({ length: tokens * 4 }, (_, i) => Math.sin(i)),
      w: Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)),
      ids: Int32Array.from({ length: tokens }, (_, i) => (i * 2) % 3),
    };
    const found = await executable.run(feeds);
    const expected = evaluate({ loss, dw }, feeds);
    expect(found['loss']!.data[0]).toBeCloseTo(expected['loss']!.data[0]!, 5);
    for (const [at, element] of expected['dw']!.data.entries()) expect(found['dw']!.data[at]).toBeCloseTo(element, 5);
  }
  await executable.release();
});
