import { expect, test } from '@jest/globals';
import { GraphBuilder, gradients, graphOf, matmul, mul, reduceSum, relu, softmax, type Value } from '../../src/index.js';
import type { Primitive } from '../../src/ops/primitive.js';

const small = (): { g: GraphBuilder; x: Value; w: Value } => {
  const g = new GraphBuilder();
  return { g, x: g.input('x', 'f32', ['tokens', 4]), w: g.parameter('w', [4, 3]) };
};

test('only values on the way to a target get gradients', () => {
  const { g, x, w } = small();
  const frozen = g.frozen('f', [4, 3], { data: new Float32Array(12) });
  const loss = reduceSum(mul(matmul(x, w), matmul(softmax(x), frozen)));
  const [gradient] = gradients(loss, [w]);
  // Neither the softmax's gradient nor a product with f transposed is there: only x^T times what comes in.
  const added = graphOf({ gradient }).values.filter(({ scope }) => scope === 'backward');
  expect(added.filter(({ op }) => op.name === 'matmul')).toHaveLength(1);
});

test('a missing gradient rule names the operator and its place; a target without effect is named', () => {
  const { g, x, w } = small();
  const opaque: Primitive = { ...relu(x).op, name: 'opaque', gradient: undefined };
  const y = g.scope('layers.2', () => g.append(opaque, [matmul(x, w)], {}));
  expect(() => gradients(reduceSum(y), [w])).toThrow('operator "opaque" has no gradient rule (in layers.2)');
  expect(() => gradients(reduceSum(relu(x)), [w])).toThrow('"w" has no effect on the loss');
  expect(() => gradients(relu(x), [x])).toThrow('scalar');
});

test('the gradient of a value that is read twice is the sum of both', () => {
  const { x, w } = small();
  const y = matmul(x, w);
  const [gradient] = gradients(reduceSum(mul(y, relu(y))), [w]);
  const backward = graphOf({ gradient }).values.filter(({ scope }) => scope.startsWith('backward'));
  expect(backward.filter(({ op }) => op.name === 'add')).toHaveLength(1);
  expect(backward.filter(({ op }) => op.name === 'matmul')).toHaveLength(1);
});
