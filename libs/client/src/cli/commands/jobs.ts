import type { FineTuningJobEvent } from '@tunefleet/contracts';
import type { Command } from 'commander';
import type OpenAI from 'openai';
import type { Tunefleet, TuningJob } from '../../tunefleet.js';
import { connect, type Define } from '../context.js';
import { usage } from '../failure.js';
import { jobText } from '../job-text.js';
import { table, time } from '../text.js';
import { type Body, given, type Json, numberOrAuto, pair, put, readBody, setting, wholeNumber } from '../values.js';
import { watchJob } from '../watch-job.js';
import { fileId } from './files.js';

export interface CreateOptions {
  model?: string;
  trainingFile?: string;
  validationFile?: string;
  epochs?: number | 'auto';
  batchSize?: number | 'auto';
  learningRateMultiplier?: number | 'auto';
  seed?: number;
  suffix?: string;
  metadata?: Record<string, string>;
  body?: string;
  set?: [string[], Json][];
  watch?: boolean;
}

/** The body of a job: the file first, then the options, then each `--set`. */
export function jobBody(options: CreateOptions): Body {
  const hyperparameters = given({
    n_epochs: options.epochs,
    batch_size: options.batchSize,
    learning_rate_multiplier: options.learningRateMultiplier,
  });
  let body: Body = {
    ...(options.body === undefined ? {} : readBody(options.body)),
    ...given({ model: options.model, seed: options.seed, suffix: options.suffix, metadata: options.metadata }),
  };
  if (Object.keys(hyperparameters).length > 0) body = put(body, ['method'], { type: 'supervised', supervised: { hyperparameters } });
  for (const [path, value] of options.set ?? []) body = put(body, path, value);
  return body;
}

/** The options that make a job's body. */
export const withJobOptions = (command: Command): Command =>
  command
    .option('--model <model>', 'a base, an alias, or a tuned model to go on with')
    .option('--training-file <file>', 'an id (file-...), or a local file, which is uploaded')
    .option('--validation-file <file>', 'likewise')
    .option('--epochs <n>', 'n_epochs: a number or auto', numberOrAuto)
    .option('--batch-size <n>', 'a number or auto', numberOrAuto)
    .option('--learning-rate-multiplier <x>', 'a number or auto', numberOrAuto)
    .option('--seed <n>', 'decides everything random', wholeNumber)
    .option('--suffix <text>', 'part of the name of the new model')
    .option('--metadata <key=value>', 'again for more', pair)
    .option('--set <path=value>', 'any field of the body, e.g. tunefleet.adapter.rank=16; again for more', setting)
    .option('--body <file>', 'the body as JSON (- is stdin); options come on top');

/** The body with its files uploaded. */
export async function wholeBody(fleet: Tunefleet, options: CreateOptions): Promise<Body> {
  let body = jobBody(options);
  if (body['model'] === undefined) throw usage('a job needs --model', '`npx tunefleet models list` shows them');
  if (body['training_file'] === undefined && options.trainingFile === undefined)
    throw usage('a job needs --training-file', 'give a local JSONL file or the id of one that is uploaded');
  for (const [key, path] of [
    ['training_file', options.trainingFile],
    ['validation_file', options.validationFile],
  ] as const)
    if (path !== undefined) body = put(body, [key], await fileId(fleet, path, 'fine-tune'));
  return body;
}

export function jobCommands(program: Command, define: Define): void {
  const jobs = program.command('jobs').description('fine-tuning jobs');

  define(
    withJobOptions(jobs.command('create').description('fine-tune a model')).option('--watch', 'then do as jobs watch'),
    async (options: CreateOptions) => {
      const fleet = connect();
      const body = await wholeBody(fleet, options);
      const job = (await fleet.openai.fineTuning.jobs.create(body as unknown as OpenAI.FineTuning.JobCreateParams)) as unknown as TuningJob;
      if (!options.watch) return { object: job, text: jobText(job) };
      process.stderr.write(`created ${job.id}\n`);
      return watchJob(fleet, job.id);
    },
  );

  define(
    jobs
      .command('list', { isDefault: true })
      .description('the jobs of the project, newest first')
      .option('--limit <n>', 'at most this many', wholeNumber, 20)
      .option('--after <id>', 'those behind this one'),
    async (query: { limit: number; after?: string }) => {
      const object = await connect().list<TuningJob>('/fine_tuning/jobs', query);
      const rows = object.data.map((j) => [j.id, j.status, j.model, time(j.created_at), j.fine_tuned_model]);
      return { object, text: table(['ID', 'STATUS', 'MODEL', 'CREATED', 'TUNED MODEL'], rows) };
    },
  );

  define(jobs.command('get <id>').description('one job'), async (id: string) => {
    const object = (await connect().openai.fineTuning.jobs.retrieve(id)) as unknown as TuningJob;
    return { object, text: jobText(object) };
  });

  define(
    jobs.command('watch <id>').description('follow a job to its end: progress, loss, rate, time left; Ctrl-C leaves the job alone'),
    async (id: string) => watchJob(connect(), id),
  );

  const moves = { cancel: 'end a job for good', pause: 'stop a job at its next step, to go on later', resume: 'go on with a paused job' };
  for (const move of ['cancel', 'pause', 'resume'] as const) {
    define(jobs.command(`${move} <id>`).description(moves[move]), async (id: string) => {
      const object = (await connect().openai.fineTuning.jobs[move](id)) as unknown as TuningJob;
      return { object, text: jobText(object) };
    });
  }

  define(
    jobs
      .command('events <id>')
      .description('what happened to a job, newest first')
      .option('--limit <n>', 'at most this many', wholeNumber, 20)
      .option('--after <id>', 'those behind this one'),
    async (id: string, query: { limit: number; after?: string }) => {
      const object = await connect().list<FineTuningJobEvent>(`/fine_tuning/jobs/${encodeURIComponent(id)}/events`, query);
      const rows = object.data.map((e) => [time(e.created_at), e.level, e.message]);
      return { object, text: table(['TIME', 'LEVEL', 'MESSAGE'], rows) };
    },
  );
}
