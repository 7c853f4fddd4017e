import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrainingResult } from '@tunefleet/contracts';
import type { Outcome, WorkContext } from '@tunefleet/jobs';
import type { Origin, Publisher } from '../artifacts/publisher.js';
import { EXIT } from '../exit-codes.js';
import { forgetUnannounced, type PodParts } from '../run-job.js';
import type { MetricsSent } from './metrics-sent.js';
import type { FromTraining } from './protocol.js';
import { type ChildExit, startTraining, type TrainingChild } from './training-child.js';

/** A training process that dies this often without a step forward is not started again within the attempt. */
const DEATHS_WITHOUT_PROGRESS = 3;
const RESTART_WAIT_MS = 200;

interface Supervised {
  parts: PodParts;
  job: string;
  folder: string;
  origin: Origin;
  metrics: MetricsSent;
  published: Publisher;
  context: WorkContext;
}

type Ending = Extract<FromTraining, { type: 'finished' | 'yielded' | 'failed' }>;

/**
 * Keeps a training process going until it finishes, fails or is asked to yield. One that is killed is started again in the same attempt, from the newest
 * local snapshot that it had told of; the trainer need not know.
 */
export async function superviseTraining(run: Supervised): Promise<Outcome> {
  const { context, parts, published } = run;
  const announced = new Set<number>();
  let furthest = await startingStep(run, announced);
  let deaths = 0;
  let child: TrainingChild | null = null;
  const kill = () => child?.kill();
  const heed = () => {
    if (context.wish() === 'pause' || context.wish() === 'drain') child?.yield();
  };
  context.signal.addEventListener('abort', kill);
  context.onWish(heed);
  // A publication that the trainer refuses means that this attempt holds the job no more: computing on is pointless.
  published.onFault(kill);
  for (;;) {
    const before = furthest;
    const { folder, job } = run;
    let last: Ending | null = null as Ending | null;
    const onMessage = (message: FromTraining) => {
      const ending = take(run, announced, message);
      last = ending ?? last;
      if (message.type === 'step') furthest = Math.max(furthest, message.row.step);
    };
    child = await startTraining({ folder, job, runFolder: parts.runFolder, onMessage });
    if (context.signal.aborted) kill();
    heed();
    const exit = await child.exited;
    context.signal.throwIfAborted();
    if (last) return await conclude(run, last);
    deaths = furthest > before ? 1 : deaths + 1;
    parts.bus.logger.warn({ job: run.job, code: exit.code, signal: exit.signal, stderr: exit.stderr, deaths }, 'the training process died');
    await published.settled();
    if (context.wish() === 'drain') return { type: 'drained' };
    if (deaths > DEATHS_WITHOUT_PROGRESS) return diedTooOften(exit);
    await forgetUnannounced(run.folder, announced);
    await sleep(RESTART_WAIT_MS);
  }
}

async function startingStep({ folder }: Supervised, announced: Set<number>): Promise<number> {
  for (const name of await readdir(join(folder, 'snapshots')).catch(() => [] as string[])) announced.add(Number(name));
  return Math.max(0, ...announced);
}

function diedTooOften({ code, signal, stderr }: ChildExit): Outcome {
  const how = signal ? `signal ${signal}` : `code ${code}`;
  const message = `The training process ended with ${how} ${DEATHS_WITHOUT_PROGRESS + 1} times without a step forward. ${stderr.trim().split('\n').at(-1) ?? ''}`;
  return { type: 'failed', error: { code: 'training_failed', message: message.trim(), param: null }, retry: true };
}

/** Acts on a message; an ending is returned. */
function take(
  { context, job, parts, origin, metrics, published }: Supervised,
  announced: Set<number>,
  message: FromTraining,
): Ending | null {
  switch (message.type) {
    case 'started':
      parts.bus.logger.info({ job, resumed: message.resumed, engine: message.engine }, 'the training process has started');
      // Only what was chosen or set is worth an event: the CPU is what everybody expects.
      if (parts.provider !== 'cpu') published.provider(message.computes);
      origin.engine = message.engine;
      origin.exact &&= message.exact;
      return null;
    case 'step':
      metrics.send(message.row);
      context.step(message.row.step);
      return null;
    case 'snapshot':
      announced.add(message.step);
      published.snapshot(message);
      return null;
    case 'checkpoint':
      published.checkpoint(message);
      return null;
    case 'finished':
    case 'yielded':
    case 'failed':
      return message;
  }
}

async function conclude({ metrics, published, context, job, parts }: Supervised, last: Ending): Promise<Outcome> {
  await metrics.stored();
  await published.settled();
  switch (last.type) {
    case 'finished': {
      const manifest = await published.finish(last);
      const result: TrainingResult = { manifest, trained_tokens: last.trained_tokens };
      return { type: 'completed', result };
    }
    case 'yielded':
      return { type: context.wish() === 'pause' ? 'paused' : 'drained' };
    case 'failed': {
      parts.bus.logger.warn({ job, code: last.code, reason: last.message }, 'training failed');
      // The one fault of a run that the API has a code for; the others are told by their message.
      const code = last.code === 'insufficient_memory' ? last.code : 'training_failed';
      return { type: 'failed', error: { code, message: last.message, param: null }, retry: !last.permanent };
    }
  }
}

export const exitCodeOf = (outcome: Outcome | null): number => {
  switch (outcome?.type) {
    case 'completed':
    case 'paused':
      return EXIT.done;
    case 'drained':
      return EXIT.drained;
    case 'failed':
      return outcome.retry ? EXIT.temporary : EXIT.permanent;
    case undefined:
      return EXIT.temporary;
  }
};
