import { expect, test } from '@jest/globals';
import * as t from '../../src/index.js';
import { halve } from '../../src/passes/halve.js';

const feeds = { a: Float32Array.of(1 + 2 ** -12, 3, 300, 5), b: Float32Array.of(1, 0, 300, 1) };

const build = (): Record<'y' | 'z', t.Value> => {
  const g = new t.GraphBuilder();
  const [a, b] = [g.input('a', 'f32', [2, 2]), g.input('b', 'f32', [2, 2])];
  const y = t.mul(t.matmul(a, b, { transB: true }), 0.5);
  return { y, z: t.softmaxMatmul(y, b) };
};

test('products are computed in float16, everything else in float32, with the meaning unchanged', () => {
  const graph = t.graphOf(build());
  const halved = t.lower(graph, 'webgpu', undefined, 'float16');
  const [products, others] = [true, false].map((of) => halved.values.filter(({ op }) => (op.name === 'matmul') === of));
  expect(products!.map(({ dtype }) => dtype)).toEqual(['f16', 'f16']);
  expect(others!.filter(({ dtype, op }) => dtype === 'f16' && !['cast', 'transpose'].includes(op.name))).toEqual([]);
  expect(t.evaluate(halved.outputs, feeds)).toEqual(t.evaluate(graph.outputs, feeds));
  // A second pass finds nothing more to do.
  expect(t.printGraph(halve(halved))).toBe(t.printGraph(halved));
});

test('ONNX Runtime rounds the operands, and a product beyond 65,504 is infinite', async () => {
  for (const engineInterface of ['native', 'node'] as const) {
    if (engineInterface === 'native' && !t.hasNativeInterface()) continue;
    const executable = await t.compile({ outputs: { y: build().y }, precision: 'float16', engineInterface });
    const { y } = await executable.run(feeds);
    await executable.release();
    // 1 + 2^-12 is 1 in float16; 300 * 300 is more than it holds.
    expect([...y!.data]).toEqual([0.5, 151.5, 150, Number.POSITIVE_INFINITY]);
  }
});
