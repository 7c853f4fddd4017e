import { expect, test } from '@jest/globals';
import { checkGraph } from '../../src/graph/checker.js';
import {
  add,
  compile,
  GraphBuilder,
  gather,
  graphOf,
  iota,
  matmul,
  printGraph,
  reduceSum,
  relu,
  reshape,
  type Value,
} from '../../src/index.js';

const small = (): { g: GraphBuilder; x: Value; w: Value } => {
  const g = new GraphBuilder();
  return { g, x: g.input('x', 'f32', ['tokens', 4]), w: g.parameter('w', [4, 3]) };
};

test('a graph prints as canonical text: what is not needed is left out, whatever was built before', () => {
  const text = (noise: boolean): string => {
    const { g, x, w } = small();
    if (noise) relu(x);
    const y = g.scope('layers.0', () => g.scope('mlp', () => relu(matmul(x, w))));
    return printGraph(graphOf({ y }));
  };
  expect(text(true)).toBe(text(false));
  expect(text(true)).toBe(`%0: f32[tokens, 4] = input() name="x" trainable=false
%1: f32[4, 3] = input() name="w" trainable=true
%2: f32[tokens, 3] = matmul(%0, %1) alpha=1 transA=false transB=false  # layers.0/mlp
%3: f32[tokens, 3] = relu(%2)  # layers.0/mlp
return y = %3
`);
});

test.each<[string, (parts: ReturnType<typeof small>) => unknown, string]>([
  ['inner sizes', ({ x, w }) => matmul(w, x), 'matmul(f32[4, 3], f32[tokens, 4]): inner sizes 3 and tokens differ'],
  ['broadcast', ({ x, w }) => add(x, w), 'add(f32[tokens, 4], f32[4, 3]): shapes [tokens, 4] and [4, 3] do not broadcast'],
  ['dtype', ({ x, w }) => gather(w, x), 'gather(f32[4, 3], f32[tokens, 4]): ids must be i32'],
  ['elements', ({ x }) => reshape(x, ['tokens', 5]), 'reshape(f32[tokens, 4]): [tokens, 5] holds another number of elements'],
  ['remainder', ({ x }) => reshape(x, [-1, 3]), 'reshape: [tokens, 4] does not divide into [-1, 3]'],
  ['axis', ({ x }) => reduceSum(x, [2]), 'axes [2] are not ascending axes of a tensor of rank 2'],
  ['scope', ({ g, x, w }) => g.scope('layers.1', () => matmul(w, x)), 'in layers.1: inner sizes'],
  ['name', ({ g }) => g.parameter('x', [1]), 'already has an input or weight named "x"'],
  ['weight size', ({ g }) => g.frozen('f', [2, 2], { data: new Float32Array(3) }), 'frozen "f" [2, 2] was given 3 elements'],
  ['two graphs', ({ x }) => add(x, small().x), 'an input belongs to another graph'],
])('a graph that does not fit is refused where it is built: %s', (_, build, message) => {
  expect(() => build(small())).toThrow(message);
});

test('the checker finds a pass that breaks a type, an order or a name', () => {
  const { x, w } = small();
  const y = relu(matmul(x, w));
  const graph = graphOf({ y });
  expect(() => checkGraph({ ...graph, values: [...graph.values].reverse() }, 'shuffle')).toThrow(
    'graph after shuffle: relu %3 uses %2 before',
  );
  const wrong = { ...y, shape: [1, 1] };
  expect(() => checkGraph({ values: [...graph.values.slice(0, -1), wrong], outputs: { y: wrong } }, 'reshape')).toThrow(
    'its rule says f32[tokens, 3]',
  );
  expect(() => checkGraph(graphOf({ x: y }), 'naming')).toThrow('output "x" has the name of an input');
});

test('the checker finds what nothing needs, a size nobody tells, and an attribute that does not print', () => {
  const { g, x, w } = small();
  const y = relu(matmul(x, w));
  const idle = relu(x);
  expect(() => checkGraph({ values: [...graphOf({ y }).values, idle], outputs: { y } }, 'fuse')).toThrow('relu %4 is needed by no output');
  expect(() => checkGraph(graphOf({ n: iota(g, 'rows') }), 'building')).toThrow('iota %5 needs the size "rows"');
  const odd = g.append({ ...y.op, name: 'odd' }, [x], { rate: Number.NaN });
  expect(() => checkGraph(graphOf({ odd }), 'scale')).toThrow('graph after scale: odd %6 has an attribute "rate"');
});

test('feeds that do not fit are refused by name before ONNX Runtime sees them', async () => {
  const { x, w } = small();
  const executable = await compile({ outputs: { y: matmul(x, w) } });
  const weights = new Float32Array(12);
  await expect(executable.run({ x: new Float32Array(8) })).rejects.toThrow('input "w" was not fed');
  await expect(executable.run({ x: new Float32Array(7), w: weights })).rejects.toThrow('feed "x"');
  await expect(executable.run({ x: new Int32Array(8), w: weights })).rejects.toThrow('feed "x" must hold f32');
  await expect(executable.run({ x: new Float32Array(8), w: weights, z: weights })).rejects.toThrow('feed "z" is no input');
  await expect(executable.run({ x: new Float32Array(8), w: { data: weights, shape: [3, 4] } })).rejects.toThrow('this run needs [4, 3]');
  await executable.release();
  await expect(executable.run({})).rejects.toThrow('released');
});

test('a provider that is not there is an error, never another provider', async () => {
  const { x, w } = small();
  await expect(compile({ outputs: { y: matmul(x, w) }, provider: 'cuda' })).rejects.toThrow('"cuda" is not part of');
});
