import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { readLoraFolder } from '@tunefleet/model-formats';
import { openGenerator } from '@tunefleet/models';
import { TextTokenizer } from '@tunefleet/tokenization';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { workFolder } from './fixture.js';

const SHARED = process.env['TUNEFLEET_SHARED'] ?? join(import.meta.dirname, '../../../../shared');
const STORIES = join(SHARED, 'data/models/stories260K-hf');

/** Greedy text of the adapted base after `prompt`. */
async function continued(base: string, adapter: string, prompt: string): Promise<string> {
  const tokenizer = await TextTokenizer.load(base);
  const generator = await openGenerator({ base });
  const { ids } = await tokenizer.encode(prompt, { addSpecialTokens: true });
  const settings = { max_tokens: 20, temperature: 0, top_p: 1, seed: 0, stop_ids: [] };
  const made: number[] = [];
  for await (const id of generator.generate({ ids, adapter, ...settings })) made.push(id);
  await generator.close();
  return tokenizer.decode(made);
}

skipUnless(existsSync(STORIES), 'TUNEFLEET_SHARED: data/models/stories260K-hf is not there')(
  'the program in the README trains an adapter on a text file',
  async () => {
    const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8');
    const program = /```js\n(.*?)```/s.exec(readme)![1]!;
    expect(program.trimEnd().split('\n').length).toBeLessThanOrEqual(30);
    // Within the package, so that its imports are found.
    const script = join(import.meta.dirname, '../dist/readme/lora.mjs');
    await mkdir(join(script, '..'), { recursive: true });
    await writeFile(script, program);
    const folder = await workFolder();
    const text = join(folder, 'text.txt');
    await writeFile(text, 'Once upon a time there was a cat.\nThe cat saw a dog.\n'.repeat(12));
    const output = execFileSync(process.execPath, [script, STORIES, text, join(folder, 'work')], { encoding: 'utf8' });
    const losses = output.split('\n').flatMap((line) => /^\d+ ([\d.]+) /.exec(line)?.slice(1).map(Number) ?? []);
    expect(losses.length).toBe(9);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    expect((await readLoraFolder(join(folder, 'work/result'))).config).toMatchObject({ rank: 8, alpha: 16, targets: 'all-linear' });
    expect(await continued(STORIES, join(folder, 'work/result'), 'Once upon a')).toMatch(/^ ?time there was a /);
    await rm(join(script, '..'), { recursive: true });
  },
  60_000,
);
