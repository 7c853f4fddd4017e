import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { openLlamaFolder, weightsSha256Of } from '@tunefleet/model-formats';
import { TextTokenizer } from '@tunefleet/tokenization';
import { type MetricsRow, train } from '@tunefleet/training-core';
import { preview } from '@tunefleet/training-data';
import { pretrainingExamples } from '../src/corpus/examples.js';
import { SOURCES } from '../src/corpus/sources.js';
import { CONFIG, TRAINING } from '../src/recipe.js';
import { SPECIAL_TOKENS } from '../src/tokenizer/files.js';

const folder = fileURLToPath(new URL('../tunefleet-base', import.meta.url));
const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');

test('the folder is a LlamaForCausalLM as the recipe says, within 10 MB in all', async () => {
  const { config, weights } = await openLlamaFolder(folder);
  await weights.close();
  expect(config).toEqual(CONFIG);
  const sizes = await Promise.all((await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size));
  expect(sizes.reduce((a, b) => a + b)).toBeLessThan(10e6);
});

test('README.md states the hash of the weights', async () => {
  const { weights } = await openLlamaFolder(folder);
  const hash = await weightsSha256Of(weights);
  await weights.close();
  expect(await text('README.md')).toContain(hash);
});

test('README.md lists every source with its licence; the curve is that of the recipe', async () => {
  const readme = await text('README.md');
  for (const { name, origin, licence } of SOURCES) for (const part of [name, origin, licence]) expect(readme).toContain(part);
  const rows = (await text('loss.csv')).trim().split('\n').slice(1);
  expect(rows.at(-1)).toMatch(new RegExp(`^${rows.length},`));
  expect(Number(rows.at(-1)!.split(',')[1])).toBeLessThan(Number(rows[0]!.split(',')[1]));
});

test('the tokenizer: round trips, special tokens, chat turns', async () => {
  const tokenizer = await TextTokenizer.load(folder);
  expect(tokenizer.vocabularySize).toBe(CONFIG.vocabularySize);
  for (const sample of ["My card hasn't arrived yet!", 'é 😀\u200d👩 日本語\r\n\t  two  spaces ', 'Refund_not_showing_up 1,234.50']) {
    const { ids } = await tokenizer.encode(sample);
    expect(await tokenizer.decode(ids)).toBe(sample);
  }
  for (const [id, token] of SPECIAL_TOKENS.entries()) {
    expect(tokenizer.tokenToId(token)).toBe(id);
    expect(tokenizer.isSpecial(id)).toBe(true);
    expect(tokenizer.findSpecialToken(`a${token}`)).toEqual({ token, offset: 1 });
  }
  expect(tokenizer.specialTokens.eos?.text).toBe('<|im_end|>');
  expect(tokenizer.chatTemplate.isDefault).toBe(false);
  expect(tokenizer.chatTemplate.render([{ role: 'user', content: 'Hi' }], { addGenerationPrompt: true })).toBe(
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
  );
});

test('a chat row: trained on are the answer and the end of its turn, not the newline after it', async () => {
  const tokenizer = await TextTokenizer.load(folder);
  const row = {
    messages: [
      { role: 'user', content: 'Where is my card?' },
      { role: 'assistant', content: 'card_arrival' },
    ],
  };
  const bytes = async function* () {
    yield Buffer.from(JSON.stringify(row));
  };
  const { rows } = await preview(bytes(), tokenizer, { maxTokens: 512, onOverflow: 'error' }, 1);
  const { tokens, trained } = rows[0]!;
  expect(tokens.filter((_, index) => trained[index]).join('')).toBe('card_arrival<|im_end|>');
  expect(tokens.slice(0, 3)).toEqual(['<|im_start|>', 'user', 'Ċ']);
});

test('it has learned: messages that it was not trained on cost little', async () => {
  const lines = (await readFile(new URL('../../quickstart/data/banking77.test.jsonl', import.meta.url), 'utf8')).trim().split('\n');
  const turns = lines.slice(0, 64).map((line) => [{ role: 'user' as const, content: (JSON.parse(line) as { text: string }).text }]);
  const heldOut = await pretrainingExamples(
    turns.map((messages) => ({ turns: messages })),
    await TextTokenizer.load(folder),
    CONFIG.maxPositions,
  );
  const source = { count: heldOut.length, get: (index: number) => heldOut[index]! };
  const work = await mkdtemp(join(tmpdir(), 'tunefleet-base-test-'));
  const rows: MetricsRow[] = [];
  try {
    // One step at rate 0 leaves the weights alone; what counts is the validation after it.
    const optimizer = { ...TRAINING.optimizer, learning_rate: 0, weight_decay: 0 };
    await train({ ...TRAINING, optimizer, max_steps: 1, base: folder, folder: work }, source, source, null, {
      onStep: (row) => rows.push(row),
      onSnapshot: () => undefined,
      onCheckpoint: () => undefined,
      shouldStop: () => 'continue',
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  // Uniform over the vocabulary would be ln 4096 = 8.3 nats a token.
  expect(rows[0]!.valid_loss).toBeLessThan(2.6);
});
