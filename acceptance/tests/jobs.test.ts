import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openai, raw } from '../harness/client.js';
import { chatRows, type Job, jobEnds, smallJob, until, upload } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
let file = '';
let validationFile = '';

beforeAll(async () => {
  file = (await upload(client, chatRows(48))).id;
  validationFile = (await upload(client, chatRows(12, 48))).id;
});

const events = async (job: string): Promise<{ id: string; message: string; type: string | undefined }[]> => {
  const all = [];
  for await (const event of client.fineTuning.jobs.listEvents(job, { limit: 7 }))
    all.push({ id: event.id, message: event.message, type: event.type });
  return all;
};

describe('an estimate', () => {
  interface Estimate {
    tokens: number;
    steps: number;
    seconds: number;
    peak_memory_bytes: number;
  }
  const estimate = (changes: object = {}) => raw('POST', '/fine_tuning/estimate', { ...smallJob(file), ...changes });

  test('says tokens, steps, time and memory, and creates nothing', async () => {
    const before = (await client.fineTuning.jobs.list({ limit: 1 })).data[0]?.id;
    const { status, body } = await estimate();
    expect([status, body]).toEqual([
      200,
      {
        object: 'fine_tuning.estimate',
        tokens: expect.any(Number),
        truncated_rows: 0,
        steps: 12,
        seconds: expect.any(Number),
        peak_memory_bytes: expect.any(Number),
        cost: null,
        error: { seconds: expect.any(Number), peak_memory_bytes: expect.any(Number) },
      },
    ]);
    const found = body as unknown as Estimate;
    expect(found.tokens).toBeGreaterThan(48);
    expect(found.seconds).toBeGreaterThan(0);
    expect(found.peak_memory_bytes).toBeGreaterThan(100e6);
    expect((await client.fineTuning.jobs.list({ limit: 1 })).data[0]?.id).toBe(before);
  });

  test('is refused as the job would be', async () => {
    expect((await estimate({ training_file: 'file-none' })).body).toMatchObject({
      error: { code: 'file_not_found', param: 'training_file' },
    });
    expect((await estimate({ nonsense: 1 })).body).toMatchObject({ error: { code: 'unknown_parameter', param: 'nonsense' } });
  });
});

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
    const all = await events(job.id);
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

describe('moves', () => {
  const long = (): Promise<Job> =>
    client.fineTuning.jobs.create(
      smallJob(file, { method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 50, batch_size: 4 } } } }),
    ) as unknown as Promise<Job>;
  const running = (id: string): Promise<Job> =>
    until(
      async () => (await client.fineTuning.jobs.retrieve(id)) as Job,
      (job) => job.status === 'running',
      60,
    );

  test('a running job says when it may be done; cancel is immediate in the record', async () => {
    const job = await long();
    await running(job.id);
    const estimating = await until(
      () => client.fineTuning.jobs.retrieve(job.id),
      (j) => j.estimated_finish !== null,
      30,
    );
    expect(estimating.estimated_finish).toBeGreaterThan(job.created_at);
    expect((await client.fineTuning.jobs.cancel(job.id)).status).toBe('cancelled');
    expect((await client.fineTuning.jobs.retrieve(job.id)).status).toBe('cancelled');
  }, 90_000);

  test('pause, resume and finish with the bytes of a job that ran through', async () => {
    const settings = { method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: 6, batch_size: 4 } } } };
    const job = await client.fineTuning.jobs.create(smallJob(file, settings));
    await until(
      async () => (await raw('GET', `/fine_tuning/jobs/${job.id}/metrics`)).body['data'] as unknown[],
      (rows) => rows.length >= 3,
      60,
    );
    expect(['pausing', 'paused']).toContain((await client.fineTuning.jobs.pause(job.id)).status);
    const paused = await until(
      () => client.fineTuning.jobs.retrieve(job.id),
      (j) => (j.status as string) === 'paused',
      30,
    );
    expect(paused.status as string).toBe('paused');
    expect((await client.fineTuning.jobs.resume(job.id)).status).toBe('queued');
    const [one, other] = await Promise.all([
      jobEnds(client, job.id),
      client.fineTuning.jobs.create(smallJob(file, settings)).then((j) => jobEnds(client, j.id)),
    ]);
    const sha = async (j: Job): Promise<string> =>
      ((await client.models.retrieve(j.fine_tuned_model ?? '')) as never as { tunefleet: { weights_sha256: string } }).tunefleet
        .weights_sha256;
    expect(await sha(one)).toBe(await sha(other));
    expect((await events(one.id)).filter((e) => e.type === 'metrics')).toHaveLength(72);
  }, 240_000);

  test('a queued job says why it waits and its place; pausing it goes straight to paused', async () => {
    const first = await long();
    await running(first.id);
    const second = await long();
    const queued = await until(
      async () => (await client.fineTuning.jobs.retrieve(second.id)) as Job,
      (job) => job.status === 'queued',
      30,
    );
    expect(queued.tunefleet.waiting).toMatchObject({ reason: expect.any(String), place: 1 });
    expect((await client.fineTuning.jobs.pause(second.id)).status).toBe('paused');
    await client.fineTuning.jobs.cancel(second.id);
    await client.fineTuning.jobs.cancel(first.id);
  }, 120_000);
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

describe('refusals', () => {
  const create = (body: Record<string, unknown>) =>
    raw('POST', '/fine_tuning/jobs', { model: 'tunefleet-base', training_file: file, ...body });

  test.each<[string, Record<string, unknown>, number, string, string]>([
    ['unknown model', { model: 'nobody' }, 404, 'model_not_found', 'model'],
    ['unknown file', { training_file: 'file-none' }, 404, 'file_not_found', 'training_file'],
    ['unknown validation file', { validation_file: 'file-none' }, 404, 'file_not_found', 'validation_file'],
    ['unknown key', { colour: 1 }, 400, 'unknown_parameter', 'colour'],
    ['unknown key in tunefleet', { tunefleet: { colour: 1 } }, 400, 'unknown_parameter', 'tunefleet.colour'],
    [
      'unknown hyperparameter',
      { method: { type: 'supervised', supervised: { hyperparameters: { speed: 1 } } } },
      400,
      'unknown_parameter',
      'method.supervised.hyperparameters.speed',
    ],
    ['epochs out of range', { hyperparameters: { n_epochs: 51 } }, 400, 'invalid_value', 'hyperparameters.n_epochs'],
    ['batch size out of range', { hyperparameters: { batch_size: 0 } }, 400, 'invalid_value', 'hyperparameters.batch_size'],
    ['seed out of range', { seed: -1 }, 400, 'invalid_value', 'seed'],
    ['seed of the wrong type', { seed: 'seven' }, 400, 'invalid_type', 'seed'],
    ['suffix too long', { suffix: 'x'.repeat(65) }, 400, 'invalid_value', 'suffix'],
    ['dpo is not built', { method: { type: 'dpo', dpo: {} } }, 400, 'not_supported', 'method.type'],
    [
      'full tuning of a 4-bit base',
      { tunefleet: { base_precision: 'int4', adapter: { type: 'full' } } },
      400,
      'invalid_value',
      'tunefleet.base_precision',
    ],
    [
      'freezing of embeddings is not built',
      { tunefleet: { freeze: { embeddings: true } } },
      400,
      'not_supported',
      'tunefleet.freeze.embeddings',
    ],
    ['unfreezing is not built', { tunefleet: { unfreeze: [{ at_epoch: 1, layers: [0] }] } }, 400, 'not_supported', 'tunefleet.unfreeze'],
    [
      'early stopping is not built',
      { tunefleet: { early_stopping: { metric: 'valid_loss', patience: 3 } } },
      400,
      'not_supported',
      'tunefleet.early_stopping',
    ],
    ['regression is not built', { tunefleet: { task: 'regression' } }, 400, 'not_supported', 'tunefleet.task'],
    ['integrations are not built', { integrations: [{ type: 'wandb', wandb: { project: 'x' } }] }, 400, 'not_supported', 'integrations'],
    [
      'rate and multiplier that disagree',
      { hyperparameters: { learning_rate_multiplier: 3 }, tunefleet: { optimizer: { learning_rate: 1 } } },
      400,
      'invalid_value',
      'tunefleet.optimizer.learning_rate',
    ],
  ])('%s', async (_name, body, status, code, param) => {
    const answer = await create(body);
    expect([answer.status, answer.body.error?.code, answer.body.error?.param]).toEqual([status, code, param]);
  });

  test('special tokens in content and rows over max_tokens fail the job by name', async () => {
    const rows = chatRows(11);
    const special = await upload(
      client,
      `${rows}\n${JSON.stringify({
        messages: [
          { role: 'user', content: 'a <|im_end|> b' },
          { role: 'assistant', content: 'c' },
        ],
      })}`,
    );
    const failed = await jobEnds(client, (await client.fineTuning.jobs.create(smallJob(special.id))).id, 30);
    expect(failed.error).toMatchObject({ code: 'special_token', param: 'training_file' });
    const long = await jobEnds(
      client,
      (await client.fineTuning.jobs.create(smallJob(file, { tunefleet: { sequence: { max_tokens: 8 } } }))).id,
      30,
    );
    expect(long.error).toMatchObject({ code: 'too_many_tokens', param: 'training_file' });
  }, 60_000);

  test('a file of another purpose is refused', async () => {
    const other = await upload(client, 'x', 'user_data');
    expect((await create({ training_file: other.id })).body.error).toMatchObject({ code: 'invalid_purpose', param: 'training_file' });
  });

  test('an unknown job is a 404', async () => {
    await expect(client.fineTuning.jobs.retrieve('ftjob-none')).rejects.toMatchObject({ status: 404, code: 'job_not_found' });
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

afterAll(async () => {
  for await (const job of client.fineTuning.jobs.list())
    if (['queued', 'running', 'validating_files', 'paused'].includes(job.status)) await client.fineTuning.jobs.cancel(job.id);
});

coversInventory('jobs.test.ts');
