import type { Fault, FileSummary, RpcReply } from '@tunefleet/contracts';
import type { DataFacts, JobRecord } from '../store/job-record.js';
import { resolveHyperparameters } from './hyperparameters.js';
import type { Parts } from './parts.js';

export interface JobFault {
  code: string;
  message: string;
  param: 'training_file' | 'validation_file' | 'tunefleet.task' | null;
}

/** What the files of a job say so far: not yet, a fault, or the numbers to train with. */
export type Verdict = { type: 'waiting' } | { type: 'failed'; error: JobFault } | { type: 'ready'; change: Pick<JobRecord, 'plan' | 'settings'> };

type Prepared = RpcReply<'dataset.prepare'>;
type Param = 'training_file' | 'validation_file';

/** One look at the files of a job in `validating_files`. Idempotent: preparation is keyed by content and settings. Errors of dataset being away pass through. */
export async function validateFiles(parts: Parts, job: JobRecord): Promise<Verdict> {
  const files: { param: Param; id: string }[] = [{ param: 'training_file', id: job.training_file }];
  if (job.validation_file) files.push({ param: 'validation_file', id: job.validation_file });
  const summaries = await Promise.all(files.map(({ id }) => fileOf(parts, job.project, id)));
  for (const [i, { param, id }] of files.entries()) {
    const file = summaries[i];
    if (!file) return failed(param, { code: 'file_not_found', message: `The file '${id}' was deleted.` });
    if (file.status === 'error') return failed(param, file.fault ?? { code: 'invalid_row', message: `The file '${id}' is not valid.` });
  }
  if (summaries.some((file) => file?.status !== 'processed')) return { type: 'waiting' };

  const kind = summaries[0]?.kind;
  const task = job.settings.task ?? (kind === 'completion' ? 'completion' : 'chat');
  for (const [i, { param }] of files.entries()) {
    const found = summaries[i]?.kind;
    if (found && found !== task) return failed(param, { code: 'mixed_formats', message: `The file holds ${found} rows; the job's task is ${task}.` });
  }
  const { sequence, micro_batch_size, max_steps } = job.settings;
  const prepared = await Promise.all(
    files.map(({ id }) => parts.bus.request('dataset.prepare', { project: job.project, file: id, model: job.model.id, task, sequence }, { timeoutMs: 30_000 })),
  );
  for (const [i, { param }] of files.entries()) {
    const answer = prepared[i]!;
    if (answer.status === 'failed') return failed(param, answer.fault);
  }
  const [training, validation] = prepared.map((answer, i) => dataOf(answer, summaries[i]!));
  if (!training || (job.validation_file && !validation)) return { type: 'waiting' };
  if (training.examples === 0)
    return failed('training_file', { code: 'empty_file', message: 'No row is left to train on: all are longer than max_tokens.' });
  const numbers = resolveHyperparameters(job.requested, training.examples, micro_batch_size, max_steps);
  return {
    type: 'ready',
    change: {
      settings: { ...job.settings, task },
      plan: { training, validation: validation ?? null, ...numbers },
    },
  };
}

const fileOf = (parts: Parts, project: string, id: string): Promise<FileSummary | null> =>
  parts.bus.request('dataset.get_file', { project, id }).catch((error: { code?: string }) => {
    if (error.code === 'file_not_found' || error.code === 'not_found') return null;
    throw error;
  });

function dataOf(answer: Prepared, file: FileSummary): DataFacts | null {
  if (answer.status !== 'ready') return null;
  const { files: _files, ...facts } = answer.data;
  return { ...facts, file_sha256: file.sha256 };
}

function failed(param: Param, fault: Pick<Fault, 'code' | 'message'> & Partial<Fault>): Verdict {
  const where = fault.line ? ` (line ${fault.line}${fault.column ? `, column ${fault.column}` : ''})` : '';
  const message = where && !fault.message.includes(`line ${fault.line}`) ? `${fault.message}${where}` : fault.message;
  return { type: 'failed', error: { code: fault.code, message, param } };
}
