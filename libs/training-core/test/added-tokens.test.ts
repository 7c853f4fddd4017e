import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { openLlamaFolder, readLoraFolder } from '@tunefleet/model-formats';
import { addTokensTo, TextTokenizer } from '@tunefleet/tokenization';
import { train } from '../src/loop/train.js';
import type { LoraSpec, TrainingSpec } from '../src/spec.js';
import { recording, relative, rowsOf, specOf, workFolder } from './fixture.js';

jest.setTimeout(60_000);

const FIXTURES = join(import.meta.dirname, 'fixtures');

/** What transformers and PEFT made of the same tokens (fixtures/added_tokens.py). */
const peer = JSON.parse(readFileSync(join(FIXTURES, 'added-tokens.json'), 'utf8')) as {
  tokens: string[];
  texts: string[];
  rows: number[][];
  rate: number;
  vocabulary: number;
  new_rows: { embedding: number[][]; head: number[][] };
  full: number[];
  lora: number[];
};
const LORA: LoraSpec = { type: 'lora', rank: 2, alpha: 4, dropout: 0, targets: ['q_proj'], modules_to_save: ['embed_tokens', 'lm_head'] };

/** The base in a folder of its own, with the tokens in its tokenizer. */
async function extended(): Promise<{ base: string; vocabulary: number }> {
  const base = join(await workFolder(), 'base');
  await cp(join(FIXTURES, 'tiny-words'), base, { recursive: true });
  return { base, vocabulary: await addTokensTo(base, peer.tokens) };
}

async function trained(adapter: TrainingSpec['adapter'], continueFrom?: string): Promise<{ folder: string; losses: number[] }> {
  const { continueFrom: _none, ...spec } = await specOf('tiny-llama', 'lora', {
    adapter,
    ...(await extended()),
    batch_size: 4,
    micro_batch_size: 4,
  });
  spec.optimizer = {
    ...spec.optimizer,
    learning_rate: peer.rate,
    betas: [0.9, 0.999],
    weight_decay: 0,
    schedule: { type: 'constant', warmup_ratio: 0 },
  };
  const hooks = recording();
  const rows = rowsOf(peer.rows.map((ids) => ({ ids, weights: ids.map((_, index) => (index === 0 ? 0 : 1)) })));
  const start = continueFrom === undefined ? {} : { continueFrom };
  const { folder } = await train({ ...spec, ...start, epochs: 2, max_steps: peer.full.length }, rows, null, null, hooks);
  return { folder, losses: hooks.rows.map(({ train_loss }) => train_loss) };
}

const furthest = (found: number[], wanted: number[]): number => Math.max(...found.map((loss, step) => relative(loss, wanted[step]!)));

test('texts with the added tokens have the ids of transformers; adding them again changes nothing', async () => {
  const { base, vocabulary } = await extended();
  expect(vocabulary).toBe(peer.vocabulary);
  const before = readFileSync(join(base, 'tokenizer.json'));
  expect(await addTokensTo(base, peer.tokens)).toBe(vocabulary);
  expect(readFileSync(join(base, 'tokenizer.json')).equals(before)).toBe(true);
  const plain = join(FIXTURES, 'tiny-words');
  for (const tokenizer of [await TextTokenizer.load(base), await TextTokenizer.load(plain, peer.tokens)])
    expect((await tokenizer.encodeBatch(peer.texts)).map(({ ids }) => [...ids])).toEqual(peer.rows);
});

test("full tuning grows embedding and head by the mean of their rows, transformers' without its noise, and learns as PyTorch", async () => {
  const { folder, losses } = await trained({ type: 'full' });
  expect(furthest(losses, peer.full)).toBeLessThan(1e-4);
  const { config, weights } = await openLlamaFolder(folder);
  expect(config.vocabularySize).toBe(peer.vocabulary);
  await weights.close();
  const tokenizer = await TextTokenizer.load(folder);
  expect([...(await tokenizer.encode(peer.texts[0]!)).ids]).toEqual(peer.rows[0]);
});

test('the new rows, before anything is learned', async () => {
  const { continueFrom: _none, ...spec } = await specOf('tiny-llama', 'lora', { adapter: LORA, ...(await extended()) });
  spec.optimizer = { ...spec.optimizer, learning_rate: 0, weight_decay: 0 };
  const rows = rowsOf([{ ids: peer.rows[0]!, weights: peer.rows[0]!.map(() => 1) }]);
  const { folder } = await train({ ...spec, epochs: 1, max_steps: 1 }, rows, null, null, recording());
  const { saved } = await readLoraFolder(folder);
  for (const [name, noisy] of [
    ['model.embed_tokens.weight', peer.new_rows.embedding],
    ['lm_head.weight', peer.new_rows.head],
  ] as const) {
    const { shape, values } = saved.get(name)!;
    const added = values.subarray((peer.vocabulary - noisy.length) * shape[1]!);
    // transformers draws them with a variance of 1e-9 that of the old rows
    noisy.flat().forEach((value, index) => {
      expect(Math.abs(added[index]! - value)).toBeLessThan(1e-4);
    });
  }
});

test('LoRA learns them in modules of its own, as PEFT; the adapter brings its tokenizer, and goes on', async () => {
  const { folder, losses } = await trained(LORA, join(FIXTURES, 'tiny-words-lora'));
  expect(furthest(losses, peer.lora)).toBeLessThan(1e-4);
  expect((await readLoraFolder(folder)).saved.get('lm_head.weight')?.shape[0]).toBe(peer.vocabulary);
  const tokenizer = await TextTokenizer.load(folder);
  expect([...(await tokenizer.encode(peer.texts[1]!)).ids]).toEqual(peer.rows[1]);
});

test('an adapter without embedding and head of its own cannot learn them', async () => {
  const { modules_to_save: _both, ...without } = LORA;
  await expect(trained(without)).rejects.toMatchObject({ code: 'invalid_spec', message: expect.stringContaining('modules_to_save') });
});
