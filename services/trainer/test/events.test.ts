import { expect, test } from '@jest/globals';
import { estimatedFinish, foldProgress } from '../src/domain/estimate.js';
import { allEvents, checkpointEvent, hasEvent, type TimedRow } from '../src/domain/events.js';
import { resultCsv } from '../src/domain/result-file.js';
import type { JobRecord } from '../src/store/job-record.js';

const row = (step: number, at: number): TimedRow => ({
  step,
  at,
  train_loss: 1 / step,
  train_accuracy: 0.5,
  learning_rate: 1e-3,
  tokens: 10,
});
const life = (name: string, created_at: number) => ({ id: `ftevent-${name}`, name, created_at, level: 'info' as const, message: name });
const job = (events: ReturnType<typeof life>[], steps: number): JobRecord =>
  ({ id: 'ftjob-x', plan: { steps }, work: { events } }) as unknown as JobRecord;

test('events are newest first, and within a second in the order of what they tell', () => {
  const events = [
    life('created', 10),
    life('started', 10),
    life(checkpointEvent(2), 10),
    life(checkpointEvent(3), 11),
    life('succeeded', 11),
  ];
  const rows = [row(1, 10_100), row(2, 10_200), row(3, 10_900)];
  expect(allEvents(job(events, 3), rows).map(({ id }) => id)).toEqual([
    'ftevent-succeeded',
    'ftevent-checkpoint-3',
    'ftevent-ftjob-x-m3',
    'ftevent-checkpoint-2',
    'ftevent-ftjob-x-m2',
    'ftevent-ftjob-x-m1',
    'ftevent-started',
    'ftevent-created',
  ]);
});

test('at most 1,000 steps of a job are events, the last always among them', () => {
  for (const steps of [1, 999, 1000, 1001, 12_345]) {
    const told = Array.from({ length: steps }, (_, i) => i + 1).filter((step) => hasEvent(step, steps));
    expect(told.length).toBeLessThanOrEqual(1000);
    expect(told.at(-1)).toBe(steps);
  }
});

test('a skipped step is always told of, as a warning that names the rows', () => {
  const rows = Array.from({ length: 3000 }, (_, i) => row(i + 1, 10_000));
  rows[1] = { ...rows[1]!, skipped: { quantity: 'loss', rows: [4, 7] } };
  const told = allEvents(job([], 3000), rows);
  expect(told).toHaveLength(1001);
  expect(told.at(-1)).toMatchObject({
    level: 'warn',
    message: 'Step 2/3000: skipped, because the loss is not a finite number on rows 4, 7',
  });
});

test('the result file is a line a step with floats in full', () => {
  const csv = resultCsv([{ ...row(3, 0), valid_loss: 0.1 + 0.2, valid_accuracy: 1 }, row(4, 0)]);
  expect(csv).toBe(
    'step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n3,0.3333333333333333,0.5,0.30000000000000004,1\n4,0.25,0.5,,\n',
  );
});

test('the end is estimated from the steps left and their pace, and never lies in the past', () => {
  let progress = foldProgress(null, 10, 10_000);
  progress = foldProgress(progress, 20, 15_000);
  expect(progress.seconds_per_step).toBe(0.5);
  const running = { work: { state: 'running', started_at: 5 }, plan: { steps: 100 }, progress } as unknown as JobRecord;
  expect(estimatedFinish(running, 16_000)).toBe(55);
  expect(estimatedFinish(running, 90_000)).toBe(90);
  expect(estimatedFinish({ ...running, progress: foldProgress(null, 10, 10_000) }, 10_000)).toBe(55);
  expect(estimatedFinish({ ...running, progress: null }, 0)).toBeNull();
  // A resumed attempt repeats steps: the pace stays.
  expect(foldProgress(progress, 12, 60_000).seconds_per_step).toBe(0.5);
});
