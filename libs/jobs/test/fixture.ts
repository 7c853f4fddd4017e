import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, connect } from '@tunefleet/messaging';
import { openRecords, type Records } from '@tunefleet/records';
import Type from 'typebox';
import {
  openWork,
  startWorker,
  summarize,
  type Worker,
  type WorkerOptions,
  type WorkOptions,
  type WorkOwner,
  WorkState,
  type WorkSummary,
} from '../src/index.js';

export const quiet = { debug() {}, info() {}, warn() {}, error() {} };

export const Job = Type.Object({
  id: Type.String(),
  project: Type.String(),
  created_at: Type.Integer(),
  schema: Type.Literal(1),
  result: Type.Union([Type.Null(), Type.String()]),
  work: WorkState,
});
export type Job = Type.Static<typeof Job>;
export interface Row {
  id: string;
  project: string;
  work: WorkSummary;
}

export const newJob = (id: string, project = 'default') => ({
  id,
  project,
  created_at: Math.floor(Date.now() / 1000),
  schema: 1 as const,
  result: null,
});

export async function until<T>(value: () => T | Promise<T>, holds: (value: T) => boolean = Boolean, ms = 10_000): Promise<T> {
  for (const end = Date.now() + ms; ; await sleep(10)) {
    const now = await value();
    if (holds(now)) return now;
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain; last: ${JSON.stringify(now)}`);
  }
}

/** One owner and its connection, with short times, on buckets and a stream of its own. */
export interface Rig {
  bus: Bus;
  queue: string;
  submit(id: string, options?: { project?: string; priority?: number }): Promise<void>;
  records: Records<Job, Row>;
  owner: WorkOwner<Job>;
  state(id: string): Promise<Job>;
  worker(options: Pick<WorkerOptions, 'run'> & Partial<WorkerOptions>): Worker;
  close(): Promise<void>;
}

const SHORT = { leaseMs: 1000, reconcileMs: 100, retryMs: 50 };

export async function rig(url: string, options: Partial<WorkOptions<Job, Row>> = {}, creds?: string): Promise<Rig> {
  const bus = await connect({ url, creds, name: 'trainer', logger: quiet });
  const queue = options.queues?.[0] ?? `q${randomBytes(4).toString('hex')}`;
  const records = await openRecords<Job, Row>(bus, {
    bucket: 'trainer',
    prefix: queue,
    schema: Job,
    project: ({ id, project, work }) => ({ id, project, work: summarize(work) }),
  });
  const owner = await openWork<Job, Row>(bus, {
    service: 'trainer',
    records,
    queues: [queue],
    slots: { [queue]: 1 },
    onClaim: async ({ id }, attempt) => ({ id, attempt }),
    onComplete: async (_record, _attempt, result) => ({ result: String(result) }),
    texts: (name, { work }) => ({ message: name === 'lost' || name === 'drained' ? `${name} ${work.attempt}` : name }),
    ...SHORT,
    ...options,
  });
  const workers: Worker[] = [];
  return {
    bus,
    queue,
    async submit(id, { project = 'default', priority = 0 } = {}) {
      await owner.submit(newJob(id, project), { queue, kind: 'train', priority });
    },
    records,
    owner,
    state: async (id) => (await records.get(id))!.value,
    worker(given) {
      const worker = startWorker(bus, { owner: 'trainer', queue, heartbeatMs: 200, ...given });
      workers.push(worker);
      return worker;
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.drain()));
      await owner.drain();
      records.close();
      await bus.drain();
    },
  };
}
