import { expect, test } from '@jest/globals';
import type { OnnxNode } from '../../src/emit/onnx-proto.js';
import { simplify } from '../../src/emit/simplify.js';
import { compile, GraphBuilder, gather, mul, reshape, rope } from '../../src/index.js';

/** "y = Op(a, b)" */
const node = (text: string): OnnxNode => {
  const [, output, type, inputs] = /^(\w+) = (\w+)\((.*)\)$/.exec(text)!;
  return { type: type!, domain: '', name: output!, inputs: inputs!.split(', '), outputs: [output!], attributes: {} };
};

const expectSimplified = (lines: string[], outputs: string[], expected: string[]): void => {
  const nodes = simplify({ nodes: lines.map(node), outputs: outputs.map((name) => ({ name })), shapes: new Set(['shape', 'other']) });
  expect(nodes.map(({ type, inputs, outputs: [output] }) => `${output} = ${type}(${inputs.join(', ')})`)).toEqual(expected);
};

test('of a chain of reshapes the last counts', () => {
  expectSimplified(
    ['a = Relu(x)', 'b = Reshape(a, shape)', 'c = Reshape(b, other)', 'y = Exp(c)'],
    ['y'],
    ['a = Relu(x)', 'c = Reshape(a, other)', 'y = Exp(c)'],
  );
  expectSimplified(
    ['b = Reshape(x, shape)', 'y = Reshape(b, other)', 'z = Exp(b)'],
    ['y', 'z'],
    ['b = Reshape(x, shape)', 'y = Reshape(x, other)', 'z = Exp(b)'],
  );
});

test('a reshape to the shape that a value has already is none', () => {
  expectSimplified(
    ['a = Reshape(x, shape)', 'b = RotaryEmbedding(a, zero, cos, sin)', 'c = Reshape(b, other)', 'd = Reshape(c, shape)', 'y = Exp(d)'],
    ['y'],
    ['a = Reshape(x, shape)', 'b = RotaryEmbedding(a, zero, cos, sin)', 'y = Exp(b)'],
  );
});

test('a reshape that waits for its shape stays', () => {
  const lines = ['n = Shape(dy)', 'b = Reshape(x, n)', 'y = Reshape(b, shape)'];
  expectSimplified(lines, ['y'], lines);
});

test('an output is made under its own name, unless it is fed or another output too', () => {
  expectSimplified(['a = Relu(x)', 'b = Exp(a)', 'y = Identity(a)'], ['y', 'b'], ['y = Relu(x)', 'b = Exp(y)']);
  expectSimplified(['y = Identity(x)'], ['y'], ['y = Identity(x)']);
  expectSimplified(['a = Relu(x)', 'y = Identity(a)', 'z = Identity(a)'], ['y', 'z'], ['y = Relu(x)', 'z = Identity(y)']);
});

test('what nobody reads goes', () => {
  expectSimplified(['a = Relu(x)', 'b = Exp(a)', 'y = Log(x)'], ['y'], ['y = Log(x)']);
});

test('one value under two names, a fed output and an empty graph of reshapes run', async () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'f32', ['n', 4]);
  const turned = rope(reshape(x, ['n', 1, 4]), g.input('cos', 'f32', ['n', 2]), g.input('sin', 'f32', ['n', 2]));
  const flat = reshape(reshape(turned, ['n', 4]), [-1]);
  const executable = await compile({ outputs: { flat, again: flat, fed: x, row: gather(mul(x, 2), g.constant(Int32Array.of(0))) } });
  const found = await executable.run({ x: Float32Array.of(1, 2, 3, 4), cos: Float32Array.of(1, 1), sin: Float32Array.of(0, 0) });
  await executable.release();
  expect(Object.values(found).map(({ data }) => [...data])).toEqual([
    [1, 2, 3, 4],
    [1, 2, 3, 4],
    [1, 2, 3, 4],
    [2, 4, 6, 8],
  ]);
});
