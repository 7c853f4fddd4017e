import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ApiError } from '@tunefleet/contracts';
import { type Claim, type Outcome, openWork, startWorker, type WorkContext, type Worker, type WorkOwner } from '@tunefleet/jobs';
import { ObjectMissing } from '@tunefleet/object-store';
import type { TaskEntry } from '../store/records.js';
import type { Preparation, PreparedOutcome, TaskRecord } from '../store/schemas.js';
import { runThread } from '../work/run-thread.js';
import { CHECK_QUEUE, completeCheck, failCheck } from './check.js';
import { preparedPrefix } from './intents.js';
import type { Parts } from './parts.js';
import { PREPARE_QUEUE } from './prepare.js';
import { fetchTokenizer, tokenizerHash } from './tokenizer-files.js';

type OwnerParts = Pick<Parts, 'bus' | 'store' | 'logger'>;
/** What a worker gets: the object, and what to do with it. */
type Spec = { key: string; purpose: string; preparation: Preparation | null };

/** Any live file of this content will do. */
function specOf({ store }: OwnerParts, { project, sha256, files, preparation }: TaskRecord): Spec {
  for (const file of store.files.all()) {
    if (file.project !== project || file.sha256 !== sha256) continue;
    if (preparation || files.includes(file.id)) return { key: file.key, purpose: file.purpose, preparation };
  }
  throw new ApiError('file_not_found', 'The file was deleted before its rows were looked at.');
}

/** The owner of the two queues of work on files. */
export function openTasks(parts: OwnerParts, leaseMs: number): Promise<WorkOwner<TaskRecord>> {
  const { bus, store, logger } = parts;
  return openWork<TaskRecord, TaskEntry>(bus, {
    service: 'dataset',
    records: store.tasks,
    queues: [CHECK_QUEUE, PREPARE_QUEUE],
    slots: { [CHECK_QUEUE]: 2, [PREPARE_QUEUE]: 2 },
    leaseMs,
    reconcileMs: Math.min(1000, leaseMs / 4), // looks further apart than half a lease count as outages
    onClaim: async (task) => specOf(parts, task),
    onComplete: async (task, _attempt, result) => {
      if (task.preparation) return { outcome: result as PreparedOutcome };
      await completeCheck(parts, task, result);
      return {};
    },
    onChange: ({ id, project, files, preparation, work }) => {
      if (preparation && (work.state === 'succeeded' || work.state === 'failed'))
        bus.emit('dataset.prepared', { project, hash: preparation.hash });
      const [file] = files;
      if (!preparation && work.state === 'failed' && file)
        failCheck(parts, file).catch((err: unknown) => logger.error({ err, id }, 'left to the sweeper'));
    },
  });
}

async function check({ objects }: Parts, spec: Spec, folder: string, { signal, step }: WorkContext): Promise<unknown> {
  const file = join(folder, 'rows.jsonl');
  await pipeline(await objects.get(spec.key, { signal }), createWriteStream(file), { signal });
  return runThread({ type: 'check', file, purpose: spec.purpose }, signal, step);
}

/** Shards go up after the thread has them all, the manifest last: the same bytes under the same keys each time. */
async function prepare(parts: Parts, { project, spec }: Claim, folder: string, { signal, step }: WorkContext): Promise<unknown> {
  const { bus, objects, scratch } = parts;
  const { key, preparation } = spec as Spec & { preparation: Preparation };
  const {
    hash,
    model,
    tokenizer_sha256,
    task,
    max_tokens: maxTokens,
    on_overflow: onOverflow,
    added_tokens: addedTokens = [],
  } = preparation;
  const { files } = await bus.request('model-registry.resolve_model', { project, model }, { timeoutMs: 15_000, signal });
  if (tokenizerHash(files) !== tokenizer_sha256) throw new ApiError('model_not_found', `The tokenizer of '${model}' has changed.`);
  const tokenizer = await fetchTokenizer(files, join(scratch, 'tokenizers'), signal);
  const file = join(folder, 'rows.jsonl');
  await pipeline(await objects.get(key, { signal }), createWriteStream(file), { signal });
  const job = { type: 'prepare' as const, file, tokenizer, out: folder, task, maxTokens, onOverflow, addedTokens };
  const outcome = await runThread(job, signal, step);
  if ('files' in outcome) {
    for (const { path } of outcome.files)
      await objects.put(preparedPrefix(project, hash) + path, createReadStream(join(folder, path)), { signal });
  }
  return outcome;
}

function failure(error: unknown): Outcome {
  const known = error instanceof ApiError ? error : null;
  const gone = error instanceof ObjectMissing;
  const code = gone ? 'file_not_found' : (known?.code ?? 'internal_error');
  const message = gone ? 'The bytes of the file are gone.' : known ? known.message : 'The work on the file failed.';
  return { type: 'failed', error: { code, message, param: null }, retry: !gone && (known === null || known.status >= 500) };
}

/** Does the work of both queues in this process, in threads. */
export function startTasks(parts: Parts, heartbeatMs: number): Worker[] {
  return [CHECK_QUEUE, PREPARE_QUEUE].map((queue) =>
    startWorker(parts.bus, {
      owner: 'dataset',
      queue,
      heartbeatMs,
      run: async (claim, context) => {
        const folder = await mkdtemp(join(parts.scratch, `${queue}-`));
        // Draining gives the work back at once: it is cheap to begin anew.
        const drained = new AbortController();
        context.onWish((wish) => wish === 'drain' && drained.abort());
        const signal = AbortSignal.any([context.signal, drained.signal]);
        const within: WorkContext = { ...context, signal, step: (step) => context.step(step) };
        try {
          const result =
            queue === CHECK_QUEUE ? await check(parts, claim.spec as Spec, folder, within) : await prepare(parts, claim, folder, within);
          return { type: 'completed', result };
        } catch (error) {
          if (drained.signal.aborted && !context.signal.aborted) return { type: 'drained' };
          parts.logger.warn({ err: error, task: claim.id, attempt: claim.attempt }, 'work on a file failed');
          return failure(error);
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      },
    }),
  );
}
