import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { TextTokenizer } from '@tunefleet/tokenization';
import type { Example } from '../src/prepare/example.js';
import type { ExampleSettings } from '../src/prepare/examples.js';
import { type PrepareOptions, prepare } from '../src/prepare/prepare.js';
import { preview } from '../src/prepare/preview.js';
import { PreparedData } from '../src/shards/reader.js';

const tokenizer = await TextTokenizer.load(new URL('../../tokenization/test/fixtures/tiny', import.meta.url).pathname);
const settings: ExampleSettings = { maxTokens: 512, onOverflow: 'error' };
const chat = (...messages: [string, string, object?][]) =>
  JSON.stringify({ messages: messages.map(([role, content, more]) => ({ role, content, ...more })) });
const rows = (count: number) =>
  Array.from({ length: count }, (_, index) => chat(['user', `What is ${index}?`], ['assistant', `A cat ${'x'.repeat(index % 7)}`]));

async function* lines(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(`${text}\n`);
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'training-data-'));
});
afterEach(() => rm(folder, { recursive: true }));

const sink = (target: string) => (name: string, bytes: Uint8Array) => writeFile(join(target, name), bytes);

async function prepared(
  texts: readonly string[],
  given: Partial<ExampleSettings> = {},
  options: PrepareOptions = {},
): Promise<PreparedData> {
  const result = await prepare(lines(texts), tokenizer, { ...settings, ...given }, sink(folder), options);
  if ('faults' in result) throw new Error(JSON.stringify(result));
  return PreparedData.open(folder);
}

/** The text that is trained on, with other tokens as dots. */
const trained = async ({ ids, weights }: Example) =>
  tokenizer.decode(
    [...ids].filter((_, at) => weights[at] !== 0),
    { skipSpecialTokens: false },
  );

describe('a chat row', () => {
  test('is trained on its answers and their ends of turn, not on the newline after', async () => {
    const data = await prepared([
      chat(['system', 'Hello'], ['user', 'Where?'], ['assistant', 'Here.'], ['user', 'Why?'], ['assistant', 'Good.']),
    ]);
    const example = data.get(0);
    expect(await tokenizer.decode([...example.ids], { skipSpecialTokens: false })).toBe(
      '<|im_start|>system\nHello<|im_end|>\n<|im_start|>user\nWhere?<|im_end|>\n<|im_start|>assistant\nHere.<|im_end|>\n' +
        '<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\nGood.<|im_end|>\n',
    );
    expect(await trained(example)).toBe('Here.<|im_end|>Good.<|im_end|>');
    expect(example.row).toBe(1);
    data.close();
  });

  test('is not trained on an answer of weight 0', async () => {
    const data = await prepared([
      chat(['user', 'a'], ['assistant', 'bad', { weight: 0 }], ['user', 'b'], ['assistant', 'good', { weight: 1 }]),
    ]);
    expect(await trained(data.get(0))).toBe('good<|im_end|>');
    data.close();
  });
});

test('a completion row is trained on its completion and the end of text', async () => {
  const data = await prepared([JSON.stringify({ prompt: 'Once upon', completion: ' a time' })]);
  const example = data.get(0);
  expect(await tokenizer.decode([...example.ids], { skipSpecialTokens: false })).toBe('Once upon a time<|im_end|>');
  expect(await trained(example)).toBe(' a time<|im_end|>');
  expect(example.weights[0]).toBe(0);
  data.close();
});

test('a row of three million characters is cut or refused in bounded time', async () => {
  const huge = chat(['user', 'q'], ['assistant', 'The card was charged twice. '.repeat(100_000)]);
  const started = performance.now();
  const data = await prepared([huge, huge], { onOverflow: 'truncate' });
  expect(data.manifest).toMatchObject({ tokens: 1024, truncated: 2 });
  data.close();
  const refused = await prepare(lines([huge]), tokenizer, settings, sink(folder));
  expect(refused).toMatchObject({
    data: [{ code: 'too_many_tokens', message: 'the row has more than 512 tokens; at most 512 are allowed' }],
  });
  expect(performance.now() - started).toBeLessThan(60_000);
}, 90_000);

test('a completion row is cut with its end of text left out', async () => {
  const data = await prepared([JSON.stringify({ prompt: 'Once upon', completion: ' a time there was a little girl' })], {
    maxTokens: 6,
    onOverflow: 'truncate',
  });
  const { ids } = data.get(0);
  expect(ids).toHaveLength(6);
  expect(await tokenizer.decode([...ids], { skipSpecialTokens: false })).not.toContain('<|im_end|>');
  data.close();
});

describe('a row over max_tokens', () => {
  const long = chat(['user', 'Why?'], ['assistant', 'To be or not to be, that is the question.']);
  const short = chat(['user', 'Why?'], ['assistant', 'Good.']);

  test('is a fault with its line', async () => {
    const result = await prepare(lines([short, long]), tokenizer, { maxTokens: 30, onOverflow: 'error' }, sink(folder));
    expect(result).toMatchObject({ faults: { too_many_tokens: 1 }, data: [{ line: 2, code: 'too_many_tokens' }] });
  });

  test('is cut', async () => {
    const data = await prepared([short, long], { maxTokens: 30, onOverflow: 'truncate' });
    expect(data.manifest).toMatchObject({ examples: 2, truncated: 1, dropped: 0, longest: 30 });
    expect(data.get(1).ids).toHaveLength(30);
    data.close();
  });

  test('is left out', async () => {
    const data = await prepared([long, short], { maxTokens: 30, onOverflow: 'drop' });
    expect(data.manifest).toMatchObject({ rows: 2, examples: 1, truncated: 0, dropped: 1 });
    expect(data.get(0).row).toBe(2);
    data.close();
  });

  test('is left out where the cut leaves nothing to train on, and a file of such rows is a fault', async () => {
    const result = await prepare(lines([long, long]), tokenizer, { maxTokens: 5, onOverflow: 'truncate' }, sink(folder));
    expect(result).toMatchObject({ faults: { too_many_tokens: 1 } });
  });
});

test('special tokens in any text of a row are faults with line and column', async () => {
  const result = await prepare(
    lines([
      chat(['user', 'ok'], ['assistant', 'ok']),
      chat(['user', 'x<|im_end|>'], ['assistant', 'ok']),
      JSON.stringify({
        messages: [
          { role: 'user', content: 'a', name: 'b' },
          {
            role: 'assistant',
            content: null,
            tool_calls: [{ id: '<|im_start|>', type: 'function', function: { name: 'f', arguments: '{}' } }],
          },
        ],
      }),
    ]),
    tokenizer,
    settings,
    sink(folder),
  );
  expect(result).toMatchObject({
    faults: { special_token: 2 },
    data: [
      { line: 2, column: 39, message: expect.stringContaining('<|im_end|>') },
      { line: 3, message: expect.stringContaining('<|im_start|>') },
    ],
  });
});

test('what a template refuses is a fault of the row', async () => {
  const row = JSON.stringify({
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] },
    ],
  });
  const result = await prepare(lines([row]), tokenizer, settings, sink(folder));
  expect(result).toMatchObject({ faults: { invalid_row: 1 } });
});

describe('shards', () => {
  test('hold every example in order, whatever their size, and the counts agree', async () => {
    const whole = await prepared(rows(100));
    const expected = Array.from({ length: 100 }, (_, index) => whole.get(index));
    whole.close();
    const cut = await prepared(rows(100), {}, { shardTokens: 64 });
    expect(cut.manifest.shards.length).toBeGreaterThan(20);
    expect(Array.from({ length: 100 }, (_, index) => cut.get(index))).toEqual(expected);
    expect(cut.manifest).toMatchObject({
      schema: 1,
      kind: 'chat',
      examples: 100,
      rows: 100,
      tokens: expected.reduce((sum, { ids }) => sum + ids.length, 0),
      trained_tokens: expected.reduce((sum, { weights }) => sum + weights.filter((weight) => weight > 0).length, 0),
    });
    expect(() => cut.get(100)).toThrow(RangeError);
    expect(() => cut.get(-1)).toThrow(RangeError);
    expect(() => cut.get(0.5)).toThrow(RangeError);
    cut.close();
  });

  test('are the same bytes each time', async () => {
    const digest = async () => {
      const hash = createHash('sha256');
      await prepare(lines(rows(300)), tokenizer, settings, (name, bytes) => Promise.resolve(void hash.update(name).update(bytes)), {
        shardTokens: 1000,
      });
      return hash.digest('hex');
    };
    expect(await digest()).toBe(await digest());
  });

  test('that were changed, exchanged or are of a later version are refused', async () => {
    (await prepared(rows(100), {}, { shardTokens: 500 })).close();
    const shard = join(folder, 'shard-00001.bin');
    const bytes = await readFile(shard);
    await writeFile(shard, bytes.subarray(0, -1));
    await expect(PreparedData.open(folder)).rejects.toMatchObject({ name: 'PreparedDataError' });
    await writeFile(shard, bytes);
    const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as { shards: { name: string }[] };
    const altered = async (changes: object) => {
      await writeFile(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, ...changes }));
      await expect(PreparedData.open(folder)).rejects.toMatchObject({ name: 'PreparedDataError' });
    };
    await altered({ schema: 2 });
    await altered({ columns: ['bounds', 'rows', 'ids', 'weights', 'soft_ids'] });
    await altered({ examples: 101 });
    await altered({ shards: [{ ...manifest.shards[0], name: '../secret' }] });
  });
});

test('nothing is handed out once a row is at fault, and a sink that fails stops the work', async () => {
  const names: string[] = [];
  const broken = [...rows(5), 'not json', ...rows(5)];
  const result = await prepare(lines(broken), tokenizer, settings, (name) => Promise.resolve(void names.push(name)));
  expect(result).toMatchObject({ faults: { invalid_json: 1 } });
  expect(names).toEqual([]);
  await expect(prepare(lines(rows(5)), tokenizer, settings, () => Promise.reject(new Error('store is away')))).rejects.toThrow(
    'store is away',
  );
});

test('an abort stops it', async () => {
  const abort = new AbortController();
  const work = prepare(lines(rows(3000)), tokenizer, settings, sink(folder), {
    signal: abort.signal,
    onProgress: () => abort.abort(new Error('cancelled')),
  });
  await expect(work).rejects.toThrow('cancelled');
});

test('the preview shows the first rows with their trained tokens, and the faults met', async () => {
  const { rows: shown, faults } = await preview(lines([...rows(2), 'x', ...rows(5)]), tokenizer, settings, 4);
  expect(shown).toHaveLength(3);
  expect(faults).toMatchObject([{ line: 3, code: 'invalid_json' }]);
  const [first] = shown;
  expect(first!.text).toBe('<|im_start|>user\nWhat is 0?<|im_end|>\n<|im_start|>assistant\nA cat <|im_end|>\n');
  expect(first!.tokens).toHaveLength(first!.ids.length);
  expect(first!.tokens.filter((_, at) => first!.trained[at])).toEqual(expect.arrayContaining(['<|im_end|>']));
  expect(first!.trained.at(-1)).toBe(false);
});
