import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { TextTokenizer } from '../src/tokenizer/text-tokenizer.js';

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url).pathname;
const shared = process.env['TUNEFLEET_SHARED'] ?? new URL('../../../../shared', import.meta.url).pathname;
const folderOf = (name: string) => (name === 'tiny' ? fixture('tiny') : join(shared, 'data/models', name));
const reference = JSON.parse(readFileSync(fixture('encodings.json'), 'utf8')) as {
  samples: string[];
  encodings: Record<string, { ids: number[]; offsets: [number, number][] }[]>;
};
const tiny = () => TextTokenizer.load(fixture('tiny'));

/** Python counts code points. */
const slicePython = (text: string, [start, end]: [number, number]) => [...text].slice(start, end).join('');

for (const [name, expected] of Object.entries(reference.encodings)) {
  skipUnless(existsSync(folderOf(name)), `TUNEFLEET_SHARED: no models/${name}`)(
    `${name} encodes as Python does, offsets included`,
    async () => {
      const tokenizer = await TextTokenizer.load(folderOf(name));
      const encoded = await tokenizer.encodeBatch(reference.samples);
      expect(encoded.map(({ ids }) => ids)).toEqual(expected.map(({ ids }) => ids));
      for (const [index, text] of reference.samples.entries()) {
        expect(encoded[index]!.offsets.map(([start, end]) => text.slice(start, end))).toEqual(
          expected[index]!.offsets.map((pair) => slicePython(text, pair)),
        );
        expect((await tokenizer.encode(text)).ids).toEqual(encoded[index]!.ids);
      }
    },
  );
}

test('padding and truncation that the file asks for are not applied', async () => {
  const tokenizer = await tiny();
  expect((await tokenizer.encode('a')).ids).toHaveLength(1);
  expect((await tokenizer.encode('0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9')).ids.length).toBeGreaterThan(16);
});

test('of a long text the first tokens are given, and the count of all', async () => {
  const tokenizer = await tiny();
  const text = 'Where is my order? It is on its way.';
  const whole = await tokenizer.encode(text);
  const cut = await tokenizer.encode(text, { maxTokens: 5 });
  expect(cut).toEqual({ ids: whole.ids.slice(0, 5), offsets: whole.offsets.slice(0, 5), length: whole.ids.length });
});

test('every text comes back, and streamed in any cut it is the same', async () => {
  const tokenizer = await tiny();
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
      fc.pre(Buffer.from(text).toString() === text);
      const { ids } = await tokenizer.encode(text);
      expect(await tokenizer.decode(ids)).toBe(text);
      const stream = tokenizer.stream();
      let streamed = '';
      for (const id of ids) streamed += await stream.push(id);
      expect(streamed + (await stream.end())).toBe(text);
    }),
    { numRuns: 50 },
  );
}, 60_000);

test('a stream never shows half a character', async () => {
  const tokenizer = await tiny();
  const { ids } = await tokenizer.encode('日本 👩\u200d🚀!');
  const stream = tokenizer.stream();
  for (const id of ids) expect(await stream.push(id)).not.toContain('\ufffd');
});

skipUnless(existsSync(folderOf('stories260K-hf')), 'TUNEFLEET_SHARED: no models/stories260K-hf')(
  'a stream keeps the space after the prompt',
  async () => {
    const tokenizer = await TextTokenizer.load(folderOf('stories260K-hf'));
    const prompt = (await tokenizer.encode('Once upon a time')).ids;
    const all = (await tokenizer.encode('Once upon a time there was')).ids;
    expect(all.slice(0, prompt.length)).toEqual(prompt);
    const stream = tokenizer.stream({ context: prompt });
    let text = '';
    for (const id of all.slice(prompt.length)) text += await stream.push(id);
    expect(text + (await stream.end())).toBe(' there was');
    expect(tokenizer.prefixIds).toEqual([1]);
    expect(tokenizer.chatTemplate.isDefault).toBe(true);
    expect(tokenizer.specialTokens).toMatchObject({ bos: { id: 1 }, eos: { id: 2, text: '</s>' } });
  },
);

test('special tokens are found in texts, by their place', async () => {
  const tokenizer = await tiny();
  expect(tokenizer.findSpecialToken('héllo <|im_end|> x <|im_start|>')).toEqual({ token: '<|im_end|>', offset: 6 });
  expect(tokenizer.findSpecialToken('<|im_end| > <im_end>')).toBeNull();
  expect(tokenizer.specialTokens).toMatchObject({ bos: null, eos: { text: '<|im_end|>' }, pad: { text: '<|endoftext|>' } });
});

test('the trained tokens of a conversation are the answer and its end of turn', async () => {
  const tokenizer = await tiny();
  const messages = [
    { role: 'user', content: 'Where is 👩 it?' },
    { role: 'assistant', content: 'On its way 👩.' },
    { role: 'user', content: 'Why?' },
    { role: 'assistant', content: 'Good.' },
  ];
  const { text, spans } = tokenizer.chatTemplate.renderWithSpans(messages);
  const encoded = await tokenizer.encode(text);
  const owners = tokenizer.spanOfTokens(encoded, spans);
  for (const [index, answer] of ['On its way 👩.<|im_end|>', 'Good.<|im_end|>'].entries()) {
    const ids = encoded.ids.filter((_, at) => owners[at] === index);
    expect(await tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(answer);
  }
});

test('a damaged or absent tokenizer is a clear error', async () => {
  await expect(TextTokenizer.from({ tokenizer: '{' })).rejects.toMatchObject({ code: 'invalid_tokenizer' });
  await expect(TextTokenizer.from({ tokenizer: '{}' })).rejects.toMatchObject({
    code: 'invalid_tokenizer',
    message: expect.stringContaining('Model missing'),
  });
  await expect(TextTokenizer.load(fixture('chat-templates'))).rejects.toMatchObject({
    code: 'invalid_tokenizer',
    message: expect.stringContaining('no tokenizer.json'),
  });
});

skipUnless(existsSync(folderOf('llama2')), 'TUNEFLEET_SHARED: no models/llama2')(
  'the damaged tokenizer of llama2 is refused with the line at fault',
  async () => {
    await expect(TextTokenizer.load(folderOf('llama2'))).rejects.toMatchObject({
      code: 'invalid_tokenizer',
      message: expect.stringContaining('line 18918'),
    });
  },
);
