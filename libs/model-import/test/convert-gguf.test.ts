import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { openLlamaFolder, weightsSha256Of } from '@tunefleet/model-formats';
import { TextTokenizer } from '@tunefleet/tokenization';
import { convertGguf } from '../src/convert-gguf.js';

const fixture = (name: string) => new URL(`fixtures/${name}`, import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'tunefleet-convert-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a GGUF file becomes a Hugging Face folder that opens, the same bytes each time', async () => {
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  const steps: number[] = [];
  await convertGguf(fixture('tiny.gguf'), first, (done, of) => steps.push(done / of));
  expect([steps.length, steps.at(-1)]).toEqual([20, 1]);
  const { config, weights } = await openLlamaFolder(first);
  const expected = JSON.parse(readFileSync(fixture('tiny.json'), 'utf8')) as { weights_sha256: string };
  expect(await weightsSha256Of(weights)).toBe(expected.weights_sha256);
  await weights.close();
  expect(config).toMatchObject({ layers: 2, headSize: 4, eosTokenIds: [2], normEpsilon: 1e-5 });
  const tokenizer = await TextTokenizer.load(first);
  expect([tokenizer.chatTemplate.isDefault, tokenizer.specialTokens.eos]).toEqual([false, { id: 2, text: '<|im_end|>' }]);
  await convertGguf(fixture('tiny.gguf'), second);
  for (const name of readdirSync(first))
    expect([name, readFileSync(join(second, name)).equals(readFileSync(join(first, name)))]).toEqual([name, true]);
});

test('a file whose tokenizer is not understood leaves no weights behind', async () => {
  const bytes = readFileSync(fixture('tiny.gguf'));
  bytes.write('unknwn', bytes.indexOf('smollm'));
  writeFileSync(join(folder, 'other.gguf'), bytes);
  const target = join(folder, 'other');
  await expect(convertGguf(join(folder, 'other.gguf'), target)).rejects.toMatchObject({
    code: 'not_supported',
    message: expect.stringContaining('unknwn'),
  });
  expect(readdirSync(folder)).not.toContain('other');
});
