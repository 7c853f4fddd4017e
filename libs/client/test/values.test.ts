import { expect, test } from '@jest/globals';
import { InvalidArgumentError } from 'commander';
import { evalBody } from '../src/cli/commands/evals.js';
import { jobBody } from '../src/cli/commands/jobs.js';
import { number, numberOrAuto, pair, put, setting, wholeNumber } from '../src/cli/values.js';
import { Rate, totalSteps } from '../src/cli/watch-job.js';
import type { TuningJob } from '../src/tunefleet.js';

test('numbers are numbers', () => {
  expect([wholeNumber('7'), number('2e-4'), numberOrAuto('auto'), numberOrAuto('3')]).toEqual([7, 2e-4, 'auto', 3]);
  for (const text of ['1.5', 'x', '']) expect(() => wholeNumber(text)).toThrow(InvalidArgumentError);
  for (const text of ['', ' ', 'NaN', 'Infinity']) expect(() => number(text)).toThrow(InvalidArgumentError);
});

test('--metadata and --set may be given again', () => {
  expect(pair('b=2=2', pair('a=1'))).toEqual({ a: '1', b: '2=2' });
  expect(setting('a.b=[1]', setting('suffix=my model'))).toEqual([
    [['suffix'], 'my model'],
    [['a', 'b'], [1]],
  ]);
  for (const text of ['=1', 'a', 'a..b=1', '__proto__.x=1']) expect(() => setting(text)).toThrow(InvalidArgumentError);
});

test('a value put at a path leaves what stands beside it', () => {
  expect(put({ a: { b: 1 } }, ['a', 'c', 'd'], true)).toEqual({ a: { b: 1, c: { d: true } } });
  expect(put({ a: 5 }, ['a', 'b'], 1)).toEqual({ a: { b: 1 } });
});

test("a job's body: options, then each --set", () => {
  const set = setting('tunefleet.adapter.rank=16', setting('tunefleet.adapter.type=lora'));
  expect(jobBody({ model: 'm', epochs: 2, batchSize: 'auto', set })).toEqual({
    model: 'm',
    method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 2, batch_size: 'auto' } } },
    tunefleet: { adapter: { type: 'lora', rank: 16 } },
  });
  expect(jobBody({})).toEqual({});
});

test('an eval of one string check', () => {
  expect(evalBody({ name: 'n', input: '{{sample.output_text}}', reference: '{{item.label}}', operation: 'eq' })).toMatchObject({
    testing_criteria: [{ type: 'string_check', name: 'n', reference: '{{item.label}}', operation: 'eq' }],
  });
  expect(() => evalBody({ input: 'x', operation: 'eq' })).toThrow('--reference');
});

const job = (hyperparameters: object, max_steps: number | null = null): TuningJob =>
  ({ hyperparameters, tunefleet: { max_steps } }) as unknown as TuningJob;

test('steps are epochs x batches, a smaller last batch included, and max_steps at most', () => {
  expect(totalSteps(job({ n_epochs: 2, batch_size: 4 }), 10)).toBe(6);
  expect(totalSteps(job({ n_epochs: 2, batch_size: 4 }, 5), 10)).toBe(5);
  expect(totalSteps(job({ n_epochs: 'auto', batch_size: 4 }), 10)).toBeNull();
  expect(totalSteps(job({ n_epochs: 2, batch_size: 4 }), null)).toBeNull();
});

test('the rate is over the last ten seconds', () => {
  const rate = new Rate();
  expect(rate.perSecond()).toBeNull();
  for (let second = 0; second <= 30; second++) rate.add(second < 15 ? 1000 : 100, second * 1000);
  expect(rate.perSecond()).toBeCloseTo(100);
});
