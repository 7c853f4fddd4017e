import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrainingResult } from '@tunefleet/contracts';
import type { Outcome, WorkContext } from '@tunefleet/jobs';
import type { Origin, Publisher } from '../artifacts/publisher.js';
import { EXIT } from '../exit-codes.js';
import { forgetUnannounced, type PodParts } from '../run-job.js';
import type { MetricsRelay } from './metrics-relay.js';
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
  relay: MetricsRelay;
  published: Publisher;
  context: WorkContext;
}

type Ending = { exit: ChildExit; last: Extract<FromTraining, { type: 'finished' | 'yielded' | 'failed' }> | null };

/**
 * Keeps a training process going until it finishes, fails or is asked to yield. One that is killed is started again in the same attempt, from the newest
 * local snapshot that it had told of; the trainer need not know.
 */
export async function superviseTraining(run: Supervised): Promise<Outcome> {
  const { context, parts } = run;
  const announced = new Set<number>();
  const stepsIn = await startingStep(run, announced);
  let furthest = stepsIn;
  let deaths = 0;
  for (;;) {
    const before = furthest;
    const { exit, last } = await oneProcess(run, announced, (step) => {
      furthest = Math.max(furthest, step);
    });
    context.signal.throwIfAborted();
    if (last) return await conclude(run, last);
    deaths = furthest > before ? 1 : deaths + 1;
    parts.bus.logger.warn({ job: run.job, code: exit.code, signal: exit.signal, stderr: exit.stderr, deaths }, 'the training process died');
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

async function oneProcess(run: Supervised, announced: Set<number>, onStep: (step: number) => void): Promise<Ending> {
  const { context, origin, relay, published } = run;
  let last: Ending['last'] = null;
  let child: TrainingChild | null = null;

  function handle(message: FromTraining): void {
    switch (message.type) {
      case 'started':
        origin.engine = message.engine;
        origin.exact &&= message.exact;
        break;
      case 'step':
        relay.add(message.row);
        context.step(message.row.step);
        onStep(message.row.step);
        break;
      case 'snapshot':
        announced.add(message.step);
        published.snapshot(message);
        break;
      case 'checkpoint':
        published.checkpoint(message);
        break;
      case 'finished':
      case 'yielded':
      case 'failed':
        last = message;
        break;
    }
  }

  const { parts, folder, job } = run;
  child = await startTraining({ folder, job, runFolder: parts.runFolder, onMessage: handle });
  const kill = () => child?.kill();
  const heed = () => {
    const wish = context.wish();
    if (wish === 'pause' || wish === 'drain') child?.yield();
  };
  // A publication that the trainer refuses means that this attempt is not the holder any more: computing on is pointless.
  published.onFault(kill);
  context.signal.addEventListener('abort', kill);
  const forget = context.onWish(heed);
  if (context.signal.aborted) kill();
  heed();
  try {
    const exit = await child.exited;
    return { exit, last };
  } finally {
    forget();
    context.signal.removeEventListener('abort', kill);
  }
}

async function conclude({ relay, published, context, job, parts }: Supervised, last: NonNullable<Ending['last']>): Promise<Outcome> {
  await relay.flush();
  await published.settled();
  switch (last.type) {
    case 'finished': {
      const manifest = await published.finish(last);
      const result: TrainingResult = { manifest, trained_tokens: last.trained_tokens };
      return { type: 'completed', result };
    }
    case 'yielded':
      return { type: context.wish() === 'pause' ? 'paused' : 'drained' };
    case 'failed':
      parts.bus.logger.warn({ job, code: last.code, reason: last.message }, 'training failed');
      return { type: 'failed', error: { code: 'training_failed', message: last.message, param: null }, retry: !last.permanent };
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
