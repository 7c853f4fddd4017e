import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readLoraFolder } from '@tunefleet/model-formats';
import { openGenerator } from '@tunefleet/models';
import { GraphBuilder, graphOf, lower, relu } from '@tunefleet/tensor';
import { TextTokenizer } from '@tunefleet/tokenization';
import { runReadme } from '../../../tools/jest/readme.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { folderOf, workFolder } from './fixture.js';

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

const PACKAGE = join(import.meta.dirname, '..');

skipUnless(existsSync(STORIES), 'TUNEFLEET_SHARED: data/models/stories260K-hf is not there')(
  'the program in the README trains an adapter on a text file',
  async () => {
    const folder = await workFolder();
    const text = join(folder, 'text.txt');
    await writeFile(text, 'Once upon a time there was a cat.\nThe cat saw a dog.\n'.repeat(12));
    const work = join(folder, 'work');
    const { lines, printed } = await runReadme(PACKAGE, 'Train LoRA on a text file, without the fleet', [STORIES, text, work]);
    expect(lines).toBeLessThanOrEqual(30);
    const losses = printed.split('\n').flatMap((line) => /^\d+ ([\d.]+) /.exec(line)?.slice(1).map(Number) ?? []);
    expect(losses.length).toBe(9);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    expect((await readLoraFolder(join(work, 'result'))).config).toMatchObject({ rank: 8, alpha: 16, targets: 'all-linear' });
    expect(await continued(STORIES, join(work, 'result'), 'Once upon a')).toMatch(/^ ?time there was a /);
  },
  60_000,
);

test('the program in the README prints the graph of a training step before and after each pass', async () => {
  const folder = join(await workFolder(), 'graphs');
  await runReadme(PACKAGE, 'Print the graph of a training step', [folderOf('tiny-llama'), folder, 'webgpu']);
  const passes: string[] = [];
  const builder = new GraphBuilder();
  lower(graphOf({ y: relu(builder.input('x', 'f32', [2])) }), 'webgpu', (pass) => passes.push(pass));
  expect((await readdir(folder)).sort()).toEqual(passes.map((pass, place) => `${place}-${pass}.txt`).sort());
  const text = (place: number): Promise<string> => readFile(join(folder, `${place}-${passes[place]}.txt`), 'utf8');
  const [built, last] = [await text(0), await text(passes.length - 1)];
  for (const graph of [built, last]) expect(graph).toContain('return gradient.0 = ');
  // Transposes of products become flags, which WebGPU does not have.
  expect(built).not.toBe(last);
});
