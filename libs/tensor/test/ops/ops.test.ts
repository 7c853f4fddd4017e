import { expect, test } from '@jest/globals';
import { graphOf, type Value } from '../../src/index.js';
import { PRIMITIVES } from '../../src/ops/table.js';
import { CASES } from './op-cases.js';
import { caseOf, expectEngine, expectMeaning, fixtures } from './op-suite.js';

const NAMES = Object.keys(CASES);
// Leaves have no inputs, so nothing flows through them; a frozen weight is in weights.test.ts, matrices in 4-bit blocks are in int4.test.ts, orders in recompute.test.ts.
const ELSEWHERE = ['input', 'frozen', 'constant', 'frozenInt4', 'dequantize', 'int4Linear', 'after'];

/** Values of a case's forward graph through which a gradient reaches one of its inputs. */
const differentiated = (name: string): Value[] => {
  const { outputs, inputs } = caseOf(name);
  const reached = new Set<Value>(inputs);
  return graphOf({ loss: outputs['loss']! }).values.filter((value) => {
    const { gradient } = value.op;
    if (gradient === 'none' || !value.inputs.some((input) => reached.has(input))) return false;
    reached.add(value);
    return true;
  });
};

test('every primitive has a case, and a gradient rule one that uses it', () => {
  const used = new Set(NAMES.flatMap((name) => graphOf(caseOf(name).outputs).values.map(({ op }) => op.name)));
  const passed = new Set(NAMES.flatMap((name) => differentiated(name).map(({ op }) => op.name)));
  const rows = PRIMITIVES.filter(({ name }) => !ELSEWHERE.includes(name));
  expect(rows.filter(({ name }) => !used.has(name)).map(({ name }) => name)).toEqual([]);
  expect(rows.filter(({ name, gradient }) => gradient !== 'none' && !passed.has(name)).map(({ name }) => name)).toEqual([]);
  expect(new Set(PRIMITIVES.map(({ name }) => name)).size).toBe(PRIMITIVES.length);
});

test('every fixture has a case and every case a fixture', () => {
  expect(NAMES.toSorted()).toEqual(Object.keys(fixtures).toSorted());
});

test.each(NAMES)('%s', async (name) => {
  const one = caseOf(name);
  expectMeaning(one);
  for (const threads of [1, 2]) await expectEngine(one, { threads });
});
