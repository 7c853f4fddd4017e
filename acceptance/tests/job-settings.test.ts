import { beforeAll, describe, expect, test } from '@jest/globals';
import { openai, raw } from '../harness/client.js';
import { chatRows, events, type Job, jobEnds, smallJob, upload } from '../harness/data.js';

const client = openai();
let file = '';

beforeAll(async () => {
  file = (await upload(client, chatRows(48))).id;
});

describe('a 4-bit base', () => {
  test('is what an adapter is trained over, answers over, and goes on over', async () => {
    const over = { base_precision: 'int4', adapter: { type: 'lora', rank: 4, alpha: 8 }, max_steps: 3 };
    const first = await jobEnds(client, (await client.fineTuning.jobs.create(smallJob(file, { tunefleet: over }))).id);
    expect(first.error).toBeNull();
    const model = first.fine_tuned_model ?? '';
    const version = (await client.models.retrieve(model)) as never as { tunefleet: { lineage: { settings: object } } };
    expect(version.tunefleet.lineage.settings).toMatchObject({ base_precision: 'int4' });
    const ask = { messages: [{ role: 'user' as const, content: 'hello' }], max_tokens: 4, temperature: 0 };
    const answer = await client.chat.completions.create({ ...ask, model });
    expect(answer.usage?.completion_tokens).toBeGreaterThan(0);
    const { base_precision: _, ...left } = over;
    const next = await jobEnds(client, (await client.fineTuning.jobs.create(smallJob(file, { model, tunefleet: left }))).id);
    expect(next.error).toBeNull();
    expect(next.tunefleet).toMatchObject({ base_precision: 'int4' });
  }, 180_000);
});

describe('added tokens', () => {
  const words = ['my card has not arrived'];
  const promptTokens = async (model: string): Promise<number> =>
    (await client.chat.completions.create({ model, messages: [{ role: 'user', content: words[0]! }], max_tokens: 1 })).usage
      ?.prompt_tokens ?? 0;

  test.each(['lora', 'full'])(
    'are one token each to a model that was tuned with them, %s, and to one that goes on from it',
    async (type) => {
      const settings = { added_tokens: words, adapter: { type }, max_steps: 2 };
      const first = (await jobEnds(client, (await client.fineTuning.jobs.create(smallJob(file, { tunefleet: settings }))).id)) as Job;
      expect(first.error).toBeNull();
      expect(first.tunefleet).toMatchObject({ added_tokens: words });
      if (type === 'lora') expect(first.tunefleet).toMatchObject({ adapter: { modules_to_save: ['embed_tokens', 'lm_head'] } });
      const model = first.fine_tuned_model ?? '';
      const known = await promptTokens(model);
      expect(known).toBeLessThan(await promptTokens('tunefleet-base'));
      const left = { adapter: { type }, max_steps: 2 };
      const next = await jobEnds(client, (await client.fineTuning.jobs.create(smallJob(file, { model, tunefleet: left }))).id);
      expect(next.error).toBeNull();
      expect(await promptTokens(next.fine_tuned_model ?? '')).toBe(known);
    },
    180_000,
  );
});

describe('a loss that overflows', () => {
  // Without a second moment, a number that no row of a step reads is moved by its first one over eps: the weights are beyond float32 in a few steps.
  const optimizer = { learning_rate: 10, betas: [0.9, 0], eps: 1e-30, schedule: { type: 'constant', warmup_ratio: 0 } };
  const ends = async (more: object): Promise<Job> =>
    (await jobEnds(
      client,
      (
        await client.fineTuning.jobs.create(smallJob(file, { tunefleet: { optimizer: { ...optimizer, ...more } } }))
      ).id,
    )) as Job;

  test('fails the job and names the rows', async () => {
    const { status, error } = await ends({});
    expect([status, error?.code]).toEqual(['failed', 'training_failed']);
    // four rows a step, by their numbers in the file
    const rows = /on rows ((?:\d+, ){3}\d+)/
      .exec(error?.message ?? '')?.[1]
      ?.split(', ')
      .map(Number);
    expect(rows?.every((row) => row >= 0 && row < 48)).toBe(true);
  }, 60_000);

  test('is skipped by setting: the job goes on, and each such step is an event', async () => {
    const job = await ends({ non_finite: 'skip' });
    expect(job.error).toBeNull();
    const told = (await events(client, job.id)).filter(({ message }) =>
      /^Step \d+\/12: skipped, because the (loss|gradient) is not a finite number on rows /.test(message),
    );
    expect(told.length).toBeGreaterThan(0);
    const { body } = await raw('GET', `/fine_tuning/jobs/${job.id}/metrics`);
    expect((body['data'] as { skipped?: object }[]).filter(({ skipped }) => skipped)).toHaveLength(told.length);
  }, 60_000);
});
