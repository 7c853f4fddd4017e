import { ApiError, type Fault, type FileSummary, isErrorCode, type RpcReply, type TrainedTask } from '@tunefleet/contracts';
import type { DataFacts, JobRecord } from '../store/job-record.js';
import { withHead } from './adapter.js';
import { addedTokens, requireWords } from './added-tokens.js';
import { resolveHyperparameters } from './hyperparameters.js';
import type { Parts } from './parts.js';

/** What is known of a job once its files are. */
export type Planned = Pick<JobRecord, 'plan' | 'settings'>;

/** What of a job its files are judged by. */
export type FilesOfJob = Pick<JobRecord, 'project' | 'model' | 'training_file' | 'validation_file' | 'requested' | 'settings'>;

type Prepared = RpcReply<'dataset.prepare'>;
type Param = 'training_file' | 'validation_file';

/**
 * One look at the files of a job in `validating_files`: null (not yet), or the numbers to train with. Throws the first fault of a file, with its param.
 * Idempotent: preparation is keyed by content and settings.
 */
export async function validateFiles(parts: Parts, job: FilesOfJob): Promise<Planned | null> {
  const files: { param: Param; id: string }[] = [{ param: 'training_file', id: job.training_file }];
  if (job.validation_file) files.push({ param: 'validation_file', id: job.validation_file });
  const summaries = await Promise.all(files.map(({ id }) => fileOf(parts, job.project, id)));
  for (const [i, { param, id }] of files.entries()) {
    const file = summaries[i];
    if (!file) throw fault(param, { code: 'file_not_found', message: `The file '${id}' was deleted.` });
    if (file.status === 'error') throw fault(param, file.fault ?? { code: 'invalid_row', message: `The file '${id}' is not valid.` });
  }
  if (summaries.some((file) => file?.status !== 'processed')) return null;

  const kind = summaries[0]?.kind;
  const task = job.settings.task ?? taskOfRows(kind);
  if (job.settings.added_tokens) requireWords(task);
  for (const [i, { param }] of files.entries()) {
    const found = summaries[i]?.kind;
    if (found && found !== task)
      throw fault(param, { code: 'mixed_formats', message: `The file holds ${found} rows; the job's task is ${task}.` });
  }
  const { sequence, micro_batch_size, max_steps } = job.settings;
  const more = addedTokens(job.settings);
  const prepared = await Promise.all(
    files.map(({ id }) =>
      parts.bus.request(
        'dataset.prepare',
        { project: job.project, file: id, model: job.model.id, task, sequence, ...more },
        { timeoutMs: 30_000 },
      ),
    ),
  );
  for (const [i, { param }] of files.entries()) {
    const answer = prepared[i]!;
    if (answer.status === 'failed') throw fault(param, answer.fault);
  }
  const [training, validation] = prepared.map((answer, i) => dataOf(answer, summaries[i]!));
  if (!training || (job.validation_file && !validation)) return null;
  if (training.examples === 0)
    throw fault('training_file', { code: 'empty_file', message: 'No row is left to train on: all are longer than max_tokens.' });
  checkLabels(training, validation ?? null);
  const numbers = resolveHyperparameters(job.requested, training.examples, micro_batch_size, max_steps);
  return {
    settings: { ...job.settings, task, adapter: withHead(job.settings.adapter, task) },
    plan: { training, validation: validation ?? null, ...numbers },
  };
}

const taskOfRows = (kind: string | null | undefined): TrainedTask => (kind === 'completion' || kind === 'classification' ? kind : 'chat');

/** A classifier needs two classes, and can be measured only on those it knows. */
function checkLabels({ labels: known }: DataFacts, validation: DataFacts | null): void {
  if (!known) return;
  if (known.length < 2)
    throw fault('training_file', {
      code: 'too_few_labels',
      message: `All rows have the label '${known[0]}'; two different ones are needed.`,
    });
  const unknown = validation?.labels?.find((label) => !known.includes(label));
  if (unknown !== undefined)
    throw fault('validation_file', { code: 'unknown_label', message: `The label '${unknown}' does not occur in the training file.` });
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

function fault(param: Param, { code, message, line, column }: Pick<Fault, 'code' | 'message'> & Partial<Fault>): ApiError {
  const where = line && !message.includes(`line ${line}`) ? ` (line ${line}${column ? `, column ${column}` : ''})` : '';
  return new ApiError(isErrorCode(code) ? code : 'invalid_row', message + where, { param });
}
