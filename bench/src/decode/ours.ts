/** Our side, a process of its own: node ours.js FOLDER float32|int4 THREADS. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BasePrecision, openGenerator } from '@tunefleet/models';
import { memoryFigures } from '@tunefleet/tensor';
import type { DecodeWork } from './work.js';

const [folder = '', precision = 'float32', threads = '2'] = process.argv.slice(2);
const { prompt, count } = JSON.parse(readFileSync(join(folder, 'work.json'), 'utf8')) as DecodeWork;
const base = join(folder, 'base');
// The cores are this benchmark's own.
const generator = await openGenerator({ base, precision: precision as BasePrecision, threads: Number(threads), spinning: true });

/** Greedy. Seconds to the first token, from it to the last, and the ids. */
async function generate(max_tokens: number): Promise<{ prompt_seconds: number; seconds: number; ids: number[] }> {
  const ids: number[] = [];
  const began = performance.now();
  let first = 0;
  for await (const id of generator.generate({ ids: prompt, max_tokens, temperature: 0, top_p: 1, seed: 0, stop_ids: [] })) {
    if (ids.push(id) === 1) first = performance.now();
  }
  return { prompt_seconds: (first - began) / 1000, seconds: (performance.now() - first) / 1000, ids };
}

await generate(4);
const measured = await generate(count);
await generator.close();
const value = (count - 1) / measured.seconds;
process.stdout.write(`${JSON.stringify({ value, ...measured, peak_rss_mb: memoryFigures().peak / 2 ** 20 })}\n`);
