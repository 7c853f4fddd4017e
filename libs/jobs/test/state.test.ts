import { expect, test } from '@jest/globals';
import { admissionOrder, MOVES, type Move, type WorkStateName } from '../src/index.js';
import { afterLoss, newWork } from '../src/life.js';
import { after } from '../src/state.js';

const STATES = Object.keys(MOVES) as WorkStateName[];
const ALL: Move[] = ['prepare', 'claim', 'pause', 'resume', 'cancel', 'release', 'succeed', 'fail'];
const work = (state: WorkStateName) => ({ ...newWork('q', 'k', 0, 'queued'), state });
const record = { id: 'job-a', project: 'p', created_at: 1, schema: 1, work: { ...work('running'), attempt: 1 } };
const error = { code: 'training_failed', message: 'gone', param: null };

test('every move that the table lacks is invalid_state, and an ended job moves nowhere', () => {
  for (const state of STATES)
    for (const move of ALL) {
      const next = MOVES[state][move];
      if (next) expect(after(work(state), move)).toBe(next);
      else expect(() => after(work(state), move)).toThrow(expect.objectContaining({ code: 'invalid_state' }));
    }
  for (const state of ['succeeded', 'failed', 'cancelled'] as const) expect(MOVES[state]).toEqual({});
});

test('work never prepared resumes into validating_files; a completion that was accepted can be neither cancelled nor paused', () => {
  expect(after({ ...work('paused'), prepared: false }, 'resume')).toBe('validating_files');
  const completing = { ...work('running'), completing: { attempt: 1, result: null } };
  for (const move of ['cancel', 'pause'] as const) expect(() => after(completing, move)).toThrow(/being completed/);
  expect(after(completing, 'succeed')).toBe('succeeded');
});

test('losses count only while no attempt gets further than all before', () => {
  let current = record;
  const lose = (step: number) => {
    const next = afterLoss(current, { step, maxAttempts: 3, event: 'lost', error, retryMs: 0 }, undefined);
    current = { ...next, work: { ...next.work, state: next.work.state === 'queued' ? 'running' : next.work.state } };
    return [next.work.state, next.work.losses];
  };
  expect([lose(0), lose(0)]).toEqual([
    ['queued', 1],
    ['queued', 2],
  ]);
  expect(lose(10)).toEqual(['queued', 1]);
  expect([lose(10), lose(4)]).toEqual([
    ['queued', 2],
    ['failed', 3],
  ]);
  expect(current.work.error?.code).toBe('too_many_attempts');
});

test('a pausing attempt that is lost is paused', () => {
  const pausing = { ...record, work: { ...record.work, state: 'pausing' as const } };
  expect(afterLoss(pausing, { step: 0, maxAttempts: 3, event: 'lost', error, retryMs: 0 }, undefined).work.state).toBe('paused');
});

test('admission: priority, then the smallest share, then age; the order of input does not matter', () => {
  const waiting = (id: string, project: string, order: number, priority = 0) => ({
    id,
    project,
    work: { state: 'queued' as const, queue: 'q', priority, order, attempt: 0, not_before: 0, completing: false },
  });
  const all = [waiting('a1', 'a', 1), waiting('a2', 'a', 2), waiting('b1', 'b', 3), waiting('a9', 'a', 9, 1), waiting('c1', 'c', 4)];
  const ids = (list: typeof all, held: typeof all = []) => admissionOrder(list, held).map(({ id }) => id);
  expect(ids(all)).toEqual(['a9', 'b1', 'c1', 'a1', 'a2']);
  expect(ids([...all].reverse())).toEqual(ids(all));
  expect(ids(all, [waiting('b0', 'b', 0), waiting('b00', 'b', 0)])).toEqual(['a9', 'c1', 'a1', 'a2', 'b1']);
});
