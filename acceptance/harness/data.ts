import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { ROOT } from './environment.js';

export type Job = OpenAI.FineTuning.FineTuningJob & {
  tunefleet: Record<string, unknown> & { waiting: { reason: string; place: number } | null };
};

const rows = readFileSync(join(ROOT, 'quickstart/data/banking77.train.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as { text: string; intent: string });

/** A training file of `count` real rows (banking77) in chat form. */
export const chatRows = (count: number, from = 0): string =>
  rows
    .slice(from, from + count)
    .map(({ text, intent }) =>
      JSON.stringify({
        messages: [
          { role: 'user', content: text },
          { role: 'assistant', content: intent },
        ],
      }),
    )
    .join('\n');

export const evalRows = (count: number): { item: { text: string; intent: string } }[] => rows.slice(0, count).map((item) => ({ item }));

export const upload = async (
  client: OpenAI,
  text: string | Uint8Array,
  purpose: OpenAI.FilePurpose = 'fine-tune',
  name = 'rows.jsonl',
): Promise<OpenAI.FileObject> => client.files.create({ file: await toFile(Buffer.from(text as string), name), purpose });

/** Ask every 100 ms until `done` says so; fails after `seconds` with what was seen last. */
export async function until<T>(ask: () => Promise<T>, done: (value: T) => boolean, seconds = 60): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await ask();
    if (done(value)) return value;
    if (Date.now() > end) throw new Error(`after ${seconds} s still: ${JSON.stringify(value).slice(0, 2000)}`);
    await wait(100);
  }
}

export const FINAL = new Set(['succeeded', 'failed', 'cancelled']);

export const jobEnds = (client: OpenAI, id: string, seconds = 120): Promise<Job> =>
  until(
    async () => (await client.fineTuning.jobs.retrieve(id)) as Job,
    (job) => FINAL.has(job.status),
    seconds,
  );

/** A job that takes a second or two: full tuning, a few steps of real rows. */
export const smallJob = (training_file: string, more: Record<string, unknown> = {}): OpenAI.FineTuning.JobCreateParams => {
  const { tunefleet, ...rest } = more;
  return {
    model: 'tunefleet-base',
    training_file,
    seed: 7,
    method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 1, batch_size: 4 } } },
    ...rest,
    ...({ tunefleet: { adapter: { type: 'full' }, micro_batch_size: 4, ...(tunefleet as object) } } as object),
  };
};

/** All events of a job, newest first, page by page. */
export async function events(client: OpenAI, job: string): Promise<{ id: string; message: string; type: string | undefined }[]> {
  const all = [];
  for await (const event of client.fineTuning.jobs.listEvents(job, { limit: 7 }))
    all.push({ id: event.id, message: event.message, type: event.type });
  return all;
}

/** Cancels what a test file left running. */
export async function cancelJobs(client: OpenAI): Promise<void> {
  for await (const job of client.fineTuning.jobs.list())
    if (['queued', 'running', 'validating_files', 'paused'].includes(job.status)) await client.fineTuning.jobs.cancel(job.id);
}
