import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { skipUnless } from '../../tools/jest/skip-unless.js';
import { modelPackage } from '../../tools/model-packages.mjs';
import { checkedFetch, openai } from '../harness/client.js';
import { type Job, jobEnds, smallJob, upload } from '../harness/data.js';
import { ROOT } from '../harness/environment.js';
import { Fleet } from '../harness/fleet.js';
import { coversInventory } from '../harness/inventory.js';

interface Row {
  text: string;
  label: string;
}

/** Rows of four of banking77's intents, one of each in turn. */
const LABELS = ['card_arrival', 'exchange_rate', 'lost_or_stolen_card', 'terminate_account'];
const byIntent = LABELS.map((label) =>
  readFileSync(join(ROOT, 'quickstart/data/banking77.train.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { text: string; intent: string })
    .flatMap(({ text, intent }) => (intent === label ? [{ text, label }] : [])),
);
const rows = Array.from({ length: 200 }, (_, index): Row => byIntent[index % LABELS.length]![Math.floor(index / LABELS.length)]!);
const jsonl = (some: readonly object[]): string => some.map((row) => JSON.stringify(row)).join('\n');

interface Answer {
  status: number;
  body: {
    object: string;
    model: string;
    data: { index: number; label: string; score: number; scores: Record<string, number> }[];
    usage: { prompt_tokens: number; total_tokens: number };
    error?: { code: string; param: string | null; message: string };
  };
}

const { path: miniLm, missing } = modelPackage('miniLm');
const bases = mkdtempSync(join(tmpdir(), 'tunefleet-bases-'));
let fleet: Fleet;
let client: OpenAI;
let file = '';
let validation = '';

beforeAll(async () => {
  cpSync(join(ROOT, 'acceptance/fixtures/tiny-bert'), join(bases, 'tiny-bert'), { recursive: true });
  symlinkSync(join(ROOT, 'base-models/tunefleet-base'), join(bases, 'tunefleet-base'));
  if (miniLm) symlinkSync(miniLm, join(bases, 'minilm'));
  fleet = await Fleet.start({ env: { TUNEFLEET_BASE_MODELS: bases } });
  client = openai({ baseURL: `${fleet.url}/v1`, apiKey: fleet.key });
  file = (await upload(client, jsonl(rows.slice(0, 160)))).id;
  validation = (await upload(client, jsonl(rows.slice(160, 200)))).id;
}, 120_000);

afterAll(async () => {
  await fleet.remove();
  rmSync(bases, { recursive: true, force: true });
});

async function classify(model: string, input: unknown): Promise<Answer> {
  const response = await checkedFetch(`${fleet.url}/v1/classifications`, {
    method: 'POST',
    headers: { authorization: `Bearer ${fleet.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, input }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function accuracy(model: string, some: readonly Row[]): Promise<number> {
  const { status, body } = await classify(
    model,
    some.map(({ text }) => text),
  );
  expect([status, body.data.map(({ index }) => index)]).toEqual([200, some.map((_, index) => index)]);
  return body.data.filter(({ label }, index) => label === some[index]!.label).length / some.length;
}

const job = (model: string, block: object, epochs: number, more: object = {}) =>
  smallJob(file, {
    model,
    validation_file: validation,
    method: { type: 'supervised', supervised: { hyperparameters: { n_epochs: epochs, batch_size: 16 } } },
    tunefleet: { micro_batch_size: 16, optimizer: { learning_rate: 3e-3 }, ...block },
    ...more,
  });
const tuned = async (body: ReturnType<typeof job>): Promise<Job> => jobEnds(client, (await client.fineTuning.jobs.create(body)).id);

describe('an encoder', () => {
  let done: Job;
  beforeAll(async () => {
    done = await tuned(job('tiny-bert', {}, 12));
  }, 120_000);

  test('is tuned to classify by its rows alone, all of it, and tells the classes apart', async () => {
    expect(done.error).toBeNull();
    expect(done.tunefleet).toMatchObject({ task: 'classification', adapter: { type: 'full' }, freeze: null });
    const model = done.fine_tuned_model ?? '';
    expect(await client.models.retrieve(model)).toMatchObject({ tunefleet: { kind: 'version', base: 'tiny-bert', head: 'classifier' } });
    expect(await accuracy(model, rows.slice(0, 160))).toBeGreaterThan(0.6);
  });

  test('answers with every label, one text or many', async () => {
    const model = done.fine_tuned_model ?? '';
    const { body: one } = await classify(model, 'My card has not arrived');
    expect(one).toMatchObject({ object: 'list', model, usage: { prompt_tokens: 7, total_tokens: 7 } });
    expect(one.data).toHaveLength(1);
    const { label, score, scores } = one.data[0]!;
    expect(Object.keys(scores).sort()).toEqual(LABELS);
    expect(score).toBe(Math.max(...Object.values(scores)));
    expect(scores[label]).toBe(score);
    expect(Object.values(scores).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    const { body: both } = await classify(model, ['what is the rate?', 'My card has not arrived']);
    expect(both.data[1]!.score).toBeCloseTo(score, 5);
  });

  test('goes on as a classifier, and writes no text', async () => {
    const model = done.fine_tuned_model ?? '';
    const next = await tuned(job(model, {}, 1));
    expect(next.error).toBeNull();
    await expect(client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }] })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_value',
      param: 'model',
    });
    await expect(client.fineTuning.jobs.create(job('tiny-bert', { task: 'chat' }, 1))).rejects.toMatchObject({
      code: 'invalid_value',
      param: 'tunefleet.task',
    });
  }, 60_000);

  test('refuses texts that it cannot read', async () => {
    const model = done.fine_tuned_model ?? '';
    const faults = await Promise.all(
      [['fine', 'a [SEP] b'], 'word '.repeat(200), [], 3].map(async (input) => {
        const { status, body } = await classify(model, input);
        return [status, body.error?.code, body.error?.param];
      }),
    );
    expect(faults.slice(0, 2)).toEqual([
      [400, 'special_token', 'input[1]'],
      [400, 'context_length_exceeded', 'input'],
    ]);
    expect(faults.slice(2).map(([status]) => status)).toEqual([400, 400]);
    expect((await classify('tiny-bert', 'x')).body.error).toMatchObject({ code: 'invalid_value', param: 'model' });
  });
});

test('with a frozen backbone only the head learns; the job says so, and a LoRA beside it is refused', async () => {
  const done = await tuned(job('tiny-bert', { freeze: { backbone: true }, optimizer: { learning_rate: 2e-2 } }, 15));
  expect(done.error).toBeNull();
  expect(done.tunefleet).toMatchObject({ task: 'classification', adapter: { type: 'full' }, freeze: { backbone: true } });
  expect(await accuracy(done.fine_tuned_model ?? '', rows.slice(0, 160))).toBeGreaterThan(0.4);
  const freeze = { backbone: true };
  for (const [block, code, param] of [
    [{ freeze, adapter: { type: 'lora' } }, 'invalid_value', 'tunefleet.adapter.type'],
    [{ freeze, task: 'chat' }, 'invalid_value', 'tunefleet.freeze.backbone'],
    [{ freeze: { layers: [0] } }, 'not_supported', 'tunefleet.freeze.layers'],
  ] as const)
    await expect(client.fineTuning.jobs.create(job('tiny-bert', block, 1))).rejects.toMatchObject({ status: 400, code, param });
}, 120_000);

describe('LoRA of a classifier', () => {
  const over = { optimizer: { learning_rate: 1e-2 } };
  /** Whether an archive of the model names all of these files. */
  const exports = async (model: string, format: string, names: readonly string[]): Promise<boolean> => {
    const archive = await client.get<Response>(`/models/${encodeURIComponent(model)}/export`, {
      query: { format },
      __binaryResponse: true,
    });
    const bytes = Buffer.from(await archive.arrayBuffer());
    return names.every((name) => bytes.includes(name));
  };

  test.each([
    ['tiny-bert', { adapter: { type: 'lora', rank: 4, alpha: 8 } }, 12],
    ['tunefleet-base', { task: 'classification', adapter: { type: 'lora', rank: 4, alpha: 8 } }, 2],
    ['tunefleet-base', { task: 'classification', base_precision: 'int4', adapter: { type: 'lora' } }, 2],
  ])(
    'of %s, %j: answers, goes on, is exported as PEFT has it and merged',
    async (base, block, epochs) => {
      const done = await tuned(job(base, { ...over, ...block }, epochs));
      expect(done.error).toBeNull();
      expect(done.tunefleet).toMatchObject({ task: 'classification', adapter: { type: 'lora', modules_to_save: ['classifier', 'score'] } });
      const model = done.fine_tuned_model ?? '';
      expect(await client.models.retrieve(model)).toMatchObject({ tunefleet: { base, head: 'classifier' } });
      const before = await accuracy(model, rows.slice(0, 160));
      expect(before).toBeGreaterThan(0.5);
      expect(
        await exports(model, 'peft', ['adapter_config.json', 'adapter_model.safetensors', 'labels.json', 'tokenizer.json', ...LABELS]),
      ).toBe(true);
      expect(await exports(model, 'merged', ['model.safetensors', 'tokenizer.json', 'ForSequenceClassification', ...LABELS])).toBe(true);
      const next = await tuned(job(model, { adapter: { type: 'lora' }, optimizer: { learning_rate: 1e-3 } }, 1));
      expect(next.error).toBeNull();
      expect(await accuracy(next.fine_tuned_model ?? '', rows.slice(0, 160))).toBeGreaterThan(before - 0.2);
    },
    180_000,
  );
});

test('a language model is tuned to classify when its task says so', async () => {
  const done = await tuned(job('tunefleet-base', { task: 'classification', optimizer: { learning_rate: 1e-3 } }, 2));
  expect(done.error).toBeNull();
  expect(await accuracy(done.fine_tuned_model ?? '', rows.slice(160, 200))).toBeGreaterThan(0.6);
  expect((await classify('tunefleet-base', 'x')).body.error).toMatchObject({ code: 'invalid_value', param: 'model' });
}, 180_000);

test('labels that do not fit fail the job with their code and file', async () => {
  const one = (await upload(client, jsonl(rows.filter(({ label }) => label === LABELS[0]).slice(0, 12)))).id;
  const other = (await upload(client, jsonl(rows.slice(0, 12).map((row, index) => (index === 5 ? { ...row, label: 'weather' } : row))))).id;
  const few = await tuned(job('tiny-bert', {}, 1, { training_file: one, validation_file: undefined }));
  expect(few.error).toMatchObject({ code: 'too_few_labels', param: 'training_file' });
  const unknown = await tuned(job('tiny-bert', {}, 1, { validation_file: other }));
  expect(unknown.error).toMatchObject({ code: 'unknown_label', param: 'validation_file' });
  expect(unknown.error?.message).toContain('weather');
  const chat = (await upload(client, jsonl(rows.slice(0, 12).map(({ text }) => ({ messages: [{ role: 'assistant', content: text }] })))))
    .id;
  expect((await tuned(job('tiny-bert', {}, 1, { training_file: chat, validation_file: undefined }))).error).toMatchObject({
    code: 'mixed_formats',
    param: 'training_file',
  });
}, 60_000);

skipUnless(miniLm !== undefined, missing)(
  'MiniLM with a frozen backbone learns four intents in seconds',
  async () => {
    const done = await tuned(job('minilm', { freeze: { backbone: true }, optimizer: { learning_rate: 1e-2 } }, 10));
    expect(done.error).toBeNull();
    expect(await accuracy(done.fine_tuned_model ?? '', rows.slice(160, 200))).toBeGreaterThan(0.85);
  },
  180_000,
);

coversInventory('classification.test.ts');
