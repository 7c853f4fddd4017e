import { setTimeout as wait } from 'node:timers/promises';
import OpenAI from 'openai';
import { chatRows, type Job, jobEnds, upload } from '../harness/data.js';
import type { Fleet } from '../harness/fleet.js';

/** Rows a step, and steps of the job that the kills disturb: a few seconds of training. */
export const BATCH = 4;
export const ROWS = 80;
export const EPOCHS = 3;
export const STEPS = EPOCHS * Math.ceil(ROWS / BATCH);

/**
 * A client that rides out restarts, as a user's would: `openai` asks again for as long as the gateway or what lies behind it is away.
 */
export const patientClient = (fleet: Fleet): OpenAI => {
  const patient: typeof fetch = async (input, init) => {
    const method = (init?.method ?? 'GET').toUpperCase();
    for (const end = Date.now() + 60_000; ; await wait(100)) {
      try {
        const response = await fetch(input, init);
        // Reading may be repeated by anybody; what creates is left to the SDK's own retries, which the server knows.
        if (response.status < 500 || method !== 'GET' || Date.now() > end) return response;
        await response.body?.cancel();
      } catch (error) {
        if (method !== 'GET' || Date.now() > end) throw error;
      }
    }
  };
  return new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: fleet.key, maxRetries: 20, fetch: patient });
};

export interface Outcome {
  job: Job;
  weights: string;
  /** Weights of the checkpoints, the newest first. */
  checkpoints: string[];
  /** Losses, a row a step. */
  rows: { step: number; train_loss: number }[];
  /** Content of the result file. */
  csv: string;
  /** Texts of the events, oldest first; metrics events as their step. */
  events: { id: string; text: string }[];
}

export const trainingFile = async (client: OpenAI): Promise<string> => (await upload(client, chatRows(ROWS))).id;

export const createJob = (
  client: OpenAI,
  file: string,
  { tunefleet, ...more }: { tunefleet?: object; metadata?: Record<string, string> } = {},
): Promise<Job> =>
  client.fineTuning.jobs.create({
    model: 'tunefleet-base',
    training_file: file,
    seed: 7,
    method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: EPOCHS, batch_size: BATCH } } },
    ...more,
    tunefleet: { adapter: { type: 'full' }, micro_batch_size: BATCH, snapshot: { every_steps: 10, keep: 2 }, ...tunefleet },
  } as never) as unknown as Promise<Job>;

const weightsOf = async (client: OpenAI, model: string): Promise<string> =>
  ((await client.models.retrieve(model)) as never as { tunefleet: { weights_sha256: string } }).tunefleet.weights_sha256;

export const metricsOf = async (client: OpenAI, job: string): Promise<Outcome['rows']> =>
  ((await client.get(`/fine_tuning/jobs/${job}/metrics`)) as { data: Outcome['rows'] }).data;

/** What a job came to, once it has ended. */
export async function outcomeOf(client: OpenAI, id: string, seconds = 120): Promise<Outcome> {
  const job = await jobEnds(client, id, seconds);
  if (job.status !== 'succeeded') throw new Error(`${id} is ${job.status}: ${JSON.stringify(job.error)}`);
  const checkpoints: string[] = [];
  for await (const { fine_tuned_model_checkpoint } of client.fineTuning.jobs.checkpoints.list(id))
    checkpoints.push(await weightsOf(client, fine_tuned_model_checkpoint));
  const events: Outcome['events'] = [];
  for await (const event of client.fineTuning.jobs.listEvents(id, { limit: 100 }))
    events.unshift({ id: event.id, text: event.type === 'metrics' ? `step ${(event.data as { step: number }).step}` : event.message });
  return {
    job,
    weights: await weightsOf(client, job.fine_tuned_model ?? ''),
    checkpoints,
    rows: await metricsOf(client, id),
    csv: await (await client.files.content(job.result_files[0] ?? '')).text(),
    events,
  };
}
