import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import { ApiError } from '@tunefleet/contracts';
import { connect } from '@tunefleet/messaging';
import { createOnce } from '@tunefleet/records';
import { natsConfig } from '../../../deploy/local/src/nats-config.js';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { type Outcome, startWorker, type WorkContext } from '../src/index.js';
import { rig as openRig, quiet, type Rig, until } from './fixture.js';

const present = natsServerPath() !== undefined;
const test = skipUnless(present, NATS_MISSING);
let nats: NatsTestServer;
const rigs: Rig[] = [];
const rig = async (options?: Parameters<typeof openRig>[1]) => {
  const opened = await openRig(nats.url, options);
  rigs.push(opened);
  return opened;
};
const ended = (context: WorkContext) =>
  new Promise<Outcome>((resolve) => {
    const look = () => {
      const wish = context.wish();
      if (wish === 'pause') resolve({ type: 'paused' });
      else if (wish === 'drain') resolve({ type: 'drained' });
      else if (wish === 'stop') resolve({ type: 'completed', result: 'must not count' });
    };
    context.onWish(look);
    look();
  });
const inState = (on: Rig, id: string, state: string) =>
  until(
    () => on.state(id),
    ({ work }) => work.state === state,
  );
const names = ({ work }: { work: { events: { name: string }[] } }) => work.events.map(({ name }) => name);

beforeAll(async () => {
  if (!present) return;
  nats = await startNatsServer();
});
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((one) => one.close()));
});
afterAll(async () => {
  await nats?.close();
});

test('from submit to succeeded: claimed once, effects before the state, rows delivered, events in order', async () => {
  const rows: unknown[] = [];
  let seenAtEffect = '';
  const on = await rig({
    onProgress: async (_record, more) => void rows.push(...more),
    onComplete: async ({ id }, _attempt, result) => {
      seenAtEffect = (await on.state(id)).work.state;
      return { result: String(result) };
    },
  });
  on.worker({
    run: async ({ spec }, context) => {
      for (let step = 1; step <= 3; step++) {
        context.step(step);
        void context.progress([step]);
      }
      return { type: 'completed', result: spec && 'done' };
    },
  });
  const start = Date.now();
  await on.submit('job-a');
  const job = await inState(on, 'job-a', 'succeeded');
  expect(Date.now() - start).toBeLessThan(1000);
  expect(job).toMatchObject({ result: 'done', work: { attempt: 1, completing: null, error: null } });
  expect(names(job)).toEqual(['created', 'started', 'succeeded']);
  expect(new Set(job.work.events.map(({ id }) => id)).size).toBe(3);
  // At least once: where an answer is late, they are sent again.
  expect([...new Set(rows)]).toEqual([1, 2, 3]);
  expect(seenAtEffect).toBe('running');
});

test('preparation: not yet, then ready with its change; a fault fails the job with code and param; an outage is waited for', async () => {
  let asked = 0;
  const on = await rig({
    prepare: async ({ id }) => {
      if (id === 'job-bad') throw new ApiError('too_many_tokens', 'Row 3 is too long.', { param: 'training_file' });
      asked++;
      if (asked === 1) throw new ApiError('service_unavailable', 'away');
      return asked < 3 ? null : { result: 'prepared' };
    },
  });
  await on.submit('job-a');
  await on.submit('job-bad');
  expect((await on.state('job-a')).work.state).toBe('validating_files');
  expect(on.owner.place('job-a')).toEqual({ reason: 'files', place: null });
  expect((await inState(on, 'job-a', 'queued')).result).toBe('prepared');
  expect((await inState(on, 'job-bad', 'failed')).work.error).toEqual({
    code: 'too_many_tokens',
    message: 'Row 3 is too long.',
    param: 'training_file',
  });
});

test('pause and resume of waiting and running work; cancel stops the run within a second; illegal moves are invalid_state', async () => {
  const on = await rig({ prepare: async ({ id }) => (id === 'job-never' ? null : {}) });
  const runs: number[] = [];
  let stopped = 0;
  on.worker({
    heartbeatMs: 60_000, // only control hints make it ask
    run: async ({ attempt }, context) => {
      runs.push(attempt);
      context.signal.addEventListener('abort', () => stopped++);
      return ended(context);
    },
  });
  await on.submit('job-never');
  expect((await on.owner.move('job-never', 'pause')).work.state).toBe('paused');
  expect((await on.owner.move('job-never', 'resume')).work.state).toBe('validating_files');
  await on.owner.move('job-never', 'cancel');
  await on.submit('job-a');
  await until(() => runs.length === 1);
  expect((await on.owner.move('job-a', 'pause')).work.state).toBe('pausing');
  await inState(on, 'job-a', 'paused');
  for (let round = 2; round <= 4; round++) {
    expect((await on.owner.move('job-a', 'resume')).work.state).toBe('queued');
    await until(() => runs.length === round);
    await on.owner.move('job-a', 'pause');
    await inState(on, 'job-a', 'paused');
  }
  await on.owner.move('job-a', 'resume');
  await until(() => runs.length === 5);
  const start = Date.now();
  expect((await on.owner.move('job-a', 'cancel')).work.state).toBe('cancelled');
  await until(() => stopped === 1);
  expect(Date.now() - start).toBeLessThan(1000);
  for (const move of ['cancel', 'pause', 'resume'] as const)
    await expect(on.owner.move('job-a', move)).rejects.toMatchObject({ code: 'invalid_state', status: 400 });
  expect((await on.owner.move('job-a', 'cancel', { repeat: true })).work.state).toBe('cancelled');
  await expect(on.owner.move('job-none', 'cancel')).rejects.toMatchObject({ code: 'not_found' });
  await sleep(300);
  expect(await on.state('job-a')).toMatchObject({ result: null, work: { state: 'cancelled', attempt: 5 } });
  expect(runs).toEqual([1, 2, 3, 4, 5]);
});

test('a worker that falls silent loses the work; its late words are refused; the next attempt completes', async () => {
  const on = await rig();
  const silent = { queue: on.queue, id: 'job-a', attempt: 1 };
  await on.submit('job-a');
  await until(() => on.owner.place('job-a')?.reason === 'worker');
  const claim = () => on.bus.request('trainer.jobs_claim', { queue: on.queue, id: 'job-a', worker: 'w1' });
  expect(await claim()).toMatchObject({ claim: { attempt: 1 } });
  expect(await claim()).toMatchObject({ claim: { attempt: 1 } }); // asked again for want of an answer
  expect(await on.bus.request('trainer.jobs_claim', { queue: on.queue, id: 'job-a', worker: 'w2' })).toEqual({ claim: null });
  expect(await on.bus.request('trainer.jobs_heartbeat', { ...silent, step: 1 })).toEqual({ answer: 'continue' });
  await inState(on, 'job-a', 'queued');
  expect(await on.bus.request('trainer.jobs_heartbeat', { ...silent, step: 1 })).toEqual({ answer: 'stop' });
  await expect(on.bus.request('trainer.jobs_complete', { ...silent, result: 'stale' })).rejects.toMatchObject({ code: 'invalid_state' });
  on.worker({ run: async () => ({ type: 'completed', result: 'second' }) });
  const job = await inState(on, 'job-a', 'succeeded');
  await expect(on.bus.request('trainer.jobs_complete', { ...silent, result: 'stale' })).rejects.toMatchObject({ code: 'invalid_state' });
  expect(job).toMatchObject({ result: 'second', work: { attempt: 2 } });
  expect(names(job)).toEqual(['created', 'started', 'lost', 'succeeded']);
});

test('what a killed worker held goes on as soon as its successor of the same instance begins; others keep theirs', async () => {
  const on = await rig({ leaseMs: 60_000, slots: { one: 2 }, queues: ['one'] });
  const start = async (instance: string, run: (claim: { attempt: number }, context: WorkContext) => Promise<Outcome>) => {
    const bus = await connect({ url: nats.url, name: 'worker', logger: quiet, instance });
    return { bus, worker: startWorker(bus, { owner: 'trainer', queue: 'one', run }) };
  };
  const other = await start('pod-2', (_claim, context) => ended(context));
  await on.submit('job-other');
  await inState(on, 'job-other', 'running');
  await on.submit('job-killed');
  const claim = { queue: 'one', id: 'job-killed', worker: 'pod-1/earlier/1' };
  await until(() => on.owner.place('job-killed')?.reason === 'worker');
  expect(await on.bus.request('trainer.jobs_claim', claim)).toMatchObject({ claim: { attempt: 1 } });
  const next = await start('pod-1', async ({ attempt }) => ({ type: 'completed', result: `attempt ${attempt}` }));
  const done = await inState(on, 'job-killed', 'succeeded');
  expect(done.result).toBe('attempt 2');
  expect(names(done)).toEqual(['created', 'started', 'lost', 'succeeded']);
  expect((await on.state('job-other')).work).toMatchObject({ state: 'running', attempt: 1 });
  await Promise.all([other.worker.drain(), next.worker.drain()]);
  await Promise.all([other.bus.drain(), next.bus.drain()]);
});

test('failures: permanent at once; retried until attempts are used up; a thrown error is retried', async () => {
  const on = await rig({ maxAttempts: 3 });
  const tries: Record<string, number> = {};
  on.worker({
    run: async ({ id }) => {
      tries[id] = (tries[id] ?? 0) + 1;
      if (id === 'job-throws' && tries[id] === 1) throw new Error('odd');
      if (id === 'job-throws') return { type: 'completed', result: 'ok' };
      const error = { code: 'training_failed', message: 'NaN', param: null };
      return { type: 'failed', error, retry: id === 'job-flaky' };
    },
  });
  for (const id of ['job-dead', 'job-flaky', 'job-throws']) await on.submit(id);
  expect((await inState(on, 'job-dead', 'failed')).work).toMatchObject({ attempt: 1, error: { code: 'training_failed', message: 'NaN' } });
  expect((await inState(on, 'job-flaky', 'failed')).work).toMatchObject({ attempt: 3, error: { code: 'too_many_attempts' } });
  expect((await inState(on, 'job-throws', 'succeeded')).work.attempt).toBe(2);
});

test('a completion whose effects fail is driven again until they succeed; a refusal fails the job; it cannot be cancelled meanwhile', async () => {
  let tries = 0;
  let release = false;
  const on = await rig({
    onComplete: async ({ id }) => {
      if (id === 'job-refused') throw new ApiError('invalid_value', 'no');
      tries++;
      if (!release) throw new Error('the registry is away');
      return { result: 'put' };
    },
  });
  on.worker({ run: async () => ({ type: 'completed', result: 1 }) });
  await on.submit('job-a');
  await until(() => tries >= 2);
  await expect(on.owner.move('job-a', 'cancel')).rejects.toMatchObject({ code: 'invalid_state' });
  await on.submit('job-refused');
  expect((await inState(on, 'job-refused', 'failed')).work.error?.code).toBe('invalid_value');
  release = true;
  expect((await inState(on, 'job-a', 'succeeded')).result).toBe('put');
});

test('slots, priority, fair share and place', async () => {
  const on = await rig({ slots: () => 2 });
  for (const id of ['a1', 'a2', 'a3', 'a4']) await on.submit(id, { project: 'alpha' });
  await on.submit('b1', { project: 'beta' });
  await on.submit('b2', { project: 'beta' });
  await on.submit('urgent', { project: 'alpha', priority: 5 });
  const places = ['urgent', 'b1', 'a1', 'b2', 'a2', 'a3', 'a4'];
  expect(places.map((id) => on.owner.place(id)?.place)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(places.map((id) => on.owner.place(id)?.reason)).toEqual(['worker', 'worker', ...Array.from({ length: 5 }, () => 'slots')]);
  await sleep(300); // hints published for the first comers are taken back for those that go first
  const order: string[] = [];
  let most = 0;
  let active = 0;
  on.worker({
    concurrency: 4,
    run: async ({ id }) => {
      order.push(id);
      most = Math.max(most, ++active);
      await sleep(30);
      active--;
      return { type: 'completed', result: '' };
    },
  });
  await until(() => order.length === 7);
  expect(most).toBe(2);
  expect(order.slice(0, 2).sort()).toEqual(['b1', 'urgent']);
  expect(order.indexOf('a4')).toBe(6);
  expect(order.indexOf('b2')).toBeLessThan(order.indexOf('a2'));
});

test('drain gives work back, another worker goes on with it; nothing is lost or counted as a failure', async () => {
  const on = await rig({ maxAttempts: 1 });
  const first = on.worker({ run: async (_claim, context) => ended(context) });
  await on.submit('job-a');
  await inState(on, 'job-a', 'running');
  await first.drain();
  expect((await on.state('job-a')).work).toMatchObject({ state: 'queued', attempt: 1, losses: 0 });
  on.worker({ run: async ({ attempt }) => ({ type: 'completed', result: attempt }) });
  expect((await inState(on, 'job-a', 'succeeded')).result).toBe('2');
});

test('a worker for one job claims it without the queue and ends with its outcome', async () => {
  const on = await rig();
  await on.submit('job-a');
  const worker = on.worker({ only: 'job-a', run: async () => ({ type: 'completed', result: 'alone' }) });
  expect(await worker.stopped).toEqual({ type: 'completed', result: 'alone' });
  await inState(on, 'job-a', 'succeeded');
  expect(await on.worker({ only: 'job-a', run: async () => ({ type: 'drained' }) }).stopped).toBeNull();
});

test('NATS killed and restarted while work runs: the same attempt goes on and completes', async () => {
  const on = await rig();
  let finish = false;
  on.worker({
    run: async (_claim, context) => {
      await until(() => finish || context.signal.aborted);
      return { type: 'completed', result: 'through' };
    },
  });
  await on.submit('job-a');
  await inState(on, 'job-a', 'running');
  const back = new Promise<void>((resolve) => on.bus.onReconnect(resolve));
  await nats.kill();
  await sleep(1500); // longer than the lease
  await nats.start();
  await back;
  await sleep(500);
  finish = true;
  const job = await inState(on, 'job-a', 'succeeded');
  expect(job).toMatchObject({ result: 'through', work: { attempt: 1 } });
  await on.submit('job-b');
  await inState(on, 'job-b', 'succeeded');
}, 20_000);

test('with the fleet’s NATS users: the owner as trainer, the worker as trainer-pod, neither needs more', async () => {
  const passwords = new Map(['trainer', 'trainer-pod'].map((user) => [user, JSON.stringify(user)]));
  const guarded = await startNatsServer(({ port, store }) => natsConfig(`127.0.0.1:${port}`, store, passwords));
  const on = await openRig(guarded.url, {}, 'trainer:trainer');
  const pod = await connect({ url: guarded.url, creds: 'trainer-pod:trainer-pod', name: 'trainer-pod', logger: quiet });
  const worker = startWorker(pod, { owner: 'trainer', queue: on.queue, run: async (_claim, context) => ended(context) });
  try {
    await on.submit('job-a');
    await inState(on, 'job-a', 'running');
    await on.owner.move('job-a', 'pause');
    await inState(on, 'job-a', 'paused');
    await on.owner.move('job-a', 'resume');
    await inState(on, 'job-a', 'running');
    await on.owner.move('job-a', 'cancel');
    await until(() => worker.running().length === 0);
    const request = { project: 'p', keyId: 'k', method: 'POST', path: '/', bodyHash: 'h', idempotencyKey: 'i', retryCount: 0 };
    expect(
      await createOnce(
        on.bus,
        request,
        () => 'one',
        async (id) => id,
      ),
    ).toBe('one');
    expect(
      await createOnce(
        on.bus,
        request,
        () => 'two',
        async (id) => id,
      ),
    ).toBe('one');
    await on.records.delete('job-a');
  } finally {
    await worker.drain();
    await pod.drain();
    await on.close();
    await guarded.close();
  }
}, 20_000);
