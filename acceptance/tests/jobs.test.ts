import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openai, raw } from '../harness/client.js';
import { cancelJobs, chatRows, events, type Job, jobEnds, smallJob, upload } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
let file = '';
let validationFile = '';

beforeAll(async () => {
  file = (await upload(client, chatRows(48))).id;
  validationFile = (await upload(client, chatRows(12, 48))).id;
});

afterAll(() => cancelJobs(client));

describe('a job from create to the tuned model', () => {
  let job: Job;

  beforeAll(async () => {
    const created = (await client.fineTuning.jobs.create(
      smallJob(file, { validation_file: validationFile, suffix: 'slice', metadata: { team: 'a b' } }),
    )) as Job;
    expect(created.object).toBe('fine_tuning.job');
    expect(['validating_files', 'queued', 'running']).toContain(created.status);
    job = await jobEnds(client, created.id);
  }, 180_000);

  test('it succeeded, with all that a finished job says', () => {
    expect(job.error).toBeNull();
    expect(job).toMatchObject({
      status: 'succeeded',
      seed: 7,
      model: 'tunefleet-base',
      training_file: file,
      validation_file: validationFile,
      metadata: { team: 'a b' },
      estimated_finish: null,
    });
    expect(job.fine_tuned_model).toMatch(/^ft:tunefleet-base:default:slice:[0-9A-Za-z]+$/);
    expect(job.trained_tokens).toBeGreaterThan(0);
    expect(job.finished_at).toBeGreaterThanOrEqual(job.created_at);
    expect(job.hyperparameters).toMatchObject({ n_epochs: 1, batch_size: 4 });
    expect(job.tunefleet).toMatchObject({ task: 'chat', adapter: { type: 'full' }, micro_batch_size: 4, waiting: null });
  });

  test('its result file is plain CSV, a row a step', async () => {
    const csv = await (await client.files.content(job.result_files[0] ?? '')).text();
    const lines = csv.trim().split('\n');
    expect(lines[0]).toBe('step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy');
    expect(lines).toHaveLength(13);
  });

  test('its events are canonical, newest first, each once', async () => {
    const all = await events(client, job.id);
    expect(new Set(all.map((e) => e.id)).size).toBe(all.length);
    const messages = all.map((e) => e.message).reverse();
    expect(messages[0]).toBe('Created fine-tuning job');
    expect(messages).toContain(`New fine-tuned model created: ${job.fine_tuned_model}`);
    expect(messages.at(-1)).toBe('Fine tuning job successfully completed');
    expect(all.filter((e) => e.type === 'metrics')).toHaveLength(12);
  });

  test('its checkpoint is a model that answers', async () => {
    const { data } = await client.fineTuning.jobs.checkpoints.list(job.id);
    expect(data[0]).toMatchObject({
      fine_tuning_job_id: job.id,
      step_number: 12,
      fine_tuned_model_checkpoint: `${job.fine_tuned_model}:ckpt-step-12`,
    });
    expect(data[0]?.metrics.full_valid_loss).toBeGreaterThan(0);
    const answer = await client.chat.completions.create({
      model: data[0]?.fine_tuned_model_checkpoint ?? '',
      messages: [{ role: 'user', content: 'hello' }],
      max_tokens: 4,
    });
    expect(answer.choices).toHaveLength(1);
  });

  test('metrics: a row a step in full precision', async () => {
    const { body } = await raw('GET', `/fine_tuning/jobs/${job.id}/metrics`);
    const data = body['data'] as { step: number; train_loss: number; learning_rate: number; tokens: number }[];
    expect(data.map((row) => row.step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    for (const row of data)
      expect(row).toMatchObject({ train_loss: expect.any(Number), learning_rate: expect.any(Number), tokens: expect.any(Number) });
  });

  test('the same job again gives the same bytes; its block may be posted back', async () => {
    const again = (await client.fineTuning.jobs.create({
      model: 'tunefleet-base',
      training_file: file,
      validation_file: validationFile,
      seed: 7,
      method: job.method,
      tunefleet: job.tunefleet,
    } as never)) as Job;
    const done = await jobEnds(client, again.id);
    expect(done.error).toBeNull();
    const hashes = await Promise.all(
      [job, done].map(
        async (j) =>
          ((await client.models.retrieve(j.fine_tuned_model ?? '')) as never as { tunefleet: { weights_sha256: string } }).tunefleet
            .weights_sha256,
      ),
    );
    expect(hashes[0]).toBe(hashes[1]);
  }, 120_000);

  test('a finished job cannot be moved', async () => {
    for (const move of ['cancel', 'pause', 'resume'] as const)
      await expect(client.fineTuning.jobs[move](job.id)).rejects.toMatchObject({ status: 400, code: 'invalid_state' });
  });

  test('a LoRA job continues a version', async () => {
    const lora = (await client.fineTuning.jobs.create(
      smallJob(file, { tunefleet: { adapter: { type: 'lora', rank: 4, alpha: 8 }, max_steps: 3 } }),
    )) as Job;
    const first = await jobEnds(client, lora.id);
    expect(first.status).toBe('succeeded');
    const next = await jobEnds(
      client,
      (
        await client.fineTuning.jobs.create(
          smallJob(file, { model: first.fine_tuned_model, tunefleet: { adapter: { type: 'lora', rank: 4, alpha: 8 }, max_steps: 3 } }),
        )
      ).id,
    );
    expect(next.error).toBeNull();
    expect(next.fine_tuned_model).not.toBe(first.fine_tuned_model);
  }, 180_000);
});

describe('lists', () => {
  test('newest first, by metadata, paging, metadata= empty', async () => {
    const tag = `t${Date.now()}`;
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) {
      const job = await client.fineTuning.jobs.create(smallJob(file, { metadata: { tag } }));
      ids.unshift(job.id);
    }
    for (const id of ids) await client.fineTuning.jobs.cancel(id);
    const listed: string[] = [];
    for await (const job of client.fineTuning.jobs.list({ metadata: { tag }, limit: 2 })) listed.push(job.id);
    expect(listed).toEqual(ids);
    const without = await client.fineTuning.jobs.list({ metadata: null });
    expect(without.data.every((job) => job.metadata === null || Object.keys(job.metadata ?? {}).length === 0)).toBe(true);
    await expect(client.fineTuning.jobs.list({ after: 'ftjob-none' })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_value',
      param: 'after',
    });
  });
});

describe('creating once', () => {
  test('a retry of the SDK after a lost answer finds the job of the first try', async () => {
    const body = { ...smallJob(file), metadata: { once: String(Date.now()) } };
    let lost = 0;
    const retrying = openai({
      maxRetries: 2,
      fetch: async (input, init) => {
        const answer = await fetch(input, init);
        if (init?.method?.toUpperCase() !== 'POST' || lost > 0) return answer;
        lost += 1;
        return new Response('{"error":{"message":"lost","type":"server_error","code":"internal_error","param":null}}', {
          status: 500,
          headers: { 'content-type': 'application/json', 'retry-after-ms': '10' },
        });
      },
    });
    const job = await retrying.fineTuning.jobs.create(body);
    expect(lost).toBe(1);
    const made = (await client.fineTuning.jobs.list({ metadata: body.metadata })).data;
    expect(made.map((j) => j.id)).toEqual([job.id]);
    await client.fineTuning.jobs.cancel(job.id);
  });

  test('two equal jobs can be meant; an Idempotency-Key makes them one; with another body it is a 422', async () => {
    const body = { ...smallJob(file), metadata: { twice: String(Date.now()) } };
    const a = await client.fineTuning.jobs.create(body);
    const b = await client.fineTuning.jobs.create(body);
    expect(a.id).not.toBe(b.id);
    const key = { headers: { 'idempotency-key': `k${Date.now()}` } };
    const c = await client.fineTuning.jobs.create(body, key);
    const d = await client.fineTuning.jobs.create(body, key);
    expect(c.id).toBe(d.id);
    await expect(client.fineTuning.jobs.create({ ...body, seed: 8 }, key)).rejects.toMatchObject({
      status: 422,
      code: 'idempotency_conflict',
    });
    for (const id of [a.id, b.id, c.id]) await client.fineTuning.jobs.cancel(id);
  });
});

coversInventory('jobs.test.ts');
