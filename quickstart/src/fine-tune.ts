import { setTimeout as wait } from 'node:timers/promises';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { Progress } from './display.js';
import { type Row, toTrainingFile } from './rows.js';

type Job = OpenAI.FineTuning.FineTuningJob;

/** One optimizer step, from `GET /v1/fine_tuning/jobs/{id}/metrics`: the one route here that OpenAI does not have. */
interface Metrics {
  data: { step: number; train_loss: number; tokens: number }[];
}

const metrics = async (client: OpenAI, job: string): Promise<Metrics['data']> =>
  (await client.get<Metrics>(`/fine_tuning/jobs/${job}/metrics`)).data;

/** Upload, create the job, watch it to its end. Returns the finished job and its loss at every step. */
export async function fineTune(
  client: OpenAI,
  rows: Row[],
  settings: { epochs: number; batchSize: number; learningRate: number },
): Promise<{ job: Job; losses: number[] }> {
  const file = await client.files.create({
    file: await toFile(Buffer.from(toTrainingFile(rows)), 'banking77.jsonl'),
    purpose: 'fine-tune',
  });
  const body = {
    model: 'tunefleet-base',
    training_file: file.id,
    suffix: 'banking77',
    seed: 7,
    method: { type: 'supervised' as const, supervised: { hyperparameters: { n_epochs: settings.epochs, batch_size: settings.batchSize } } },
    // Everything beyond OpenAI's fields rides in this one; all of it has defaults.
    tunefleet: { adapter: { type: 'full' }, micro_batch_size: settings.batchSize, optimizer: { learning_rate: settings.learningRate } },
  };
  let job: Job = await client.fineTuning.jobs.create(body);
  const total = Math.ceil(rows.length / settings.batchSize) * settings.epochs;
  const progress = new Progress('training');
  let seen = 0;
  while (!['succeeded', 'failed', 'cancelled'].includes(job.status)) {
    await wait(1000);
    job = await client.fineTuning.jobs.retrieve(job.id);
    const steps = await metrics(client, job.id);
    const last = steps.at(-1);
    if (!last) continue;
    const rate = steps.slice(seen).reduce((sum, step) => sum + step.tokens, 0);
    seen = steps.length;
    progress.show(last.step, total, `loss ${last.train_loss.toFixed(3)}  ${rate} tokens/s `);
  }
  progress.end();
  if (job.status !== 'succeeded') throw new Error(`the job ended ${job.status}: ${job.error?.message ?? 'no reason given'}`);
  return { job, losses: (await metrics(client, job.id)).map((step) => step.train_loss) };
}
