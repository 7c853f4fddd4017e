import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { estimateRun, measureRates } from '@tunefleet/training-core';
import type { Benchmark } from '../benchmark.js';
import { compare, printRow } from '../compare.js';
import { stepSpec } from '../llama-step/spec.js';
import { makeWork, STEPS, WARM_UP } from '../llama-step/work.js';
import { SHAPES } from './shapes.js';

const OURS = fileURLToPath(new URL('../llama-step/ours.js', import.meta.url));
const THREADS = 2;
const TOKENS = '128,256,512,1024,2048,4096';

/** One point: LoRA on a shape, one row of so many tokens a step. */
async function point(name: string, tokens: number, memory: 'fast' | 'lean', json: boolean): Promise<void> {
  const shape = SHAPES[name];
  if (!shape) throw new Error(`no shape '${name}'; there are ${Object.keys(SHAPES).join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-growth-'));
  try {
    await makeWork(folder, tokens, shape);
    // Before each: what else the machine does changes.
    const rates = await measureRates(THREADS);
    const args = [OURS, folder, 'lora', String(THREADS), memory];
    const ours = { command: process.execPath, args };
    const row = await compare({
      bench: 'growth',
      variant: `${name}, ${tokens} tokens, ${memory}`,
      unit: 'tokens/s',
      ours,
      peer: null,
      rounds: 1,
    });
    const { adapter } = stepSpec(folder, 'lora', THREADS);
    const data = { examples: STEPS, tokens: STEPS * tokens, trained_tokens: STEPS * tokens, longest: tokens };
    const run = { adapter, memory, batch_size: 1, micro_batch_size: 1, data };
    const [whole, none] = [STEPS - WARM_UP, 0].map((steps) => estimateRun(shape, { ...run, steps }, rates));
    const predicted = { seconds: whole!.seconds - none!.seconds, peak_rss_mb: whole!.peak_memory_bytes / 2 ** 20 };
    const off = { seconds: predicted.seconds / row.ours.seconds - 1, peak_rss_mb: predicted.peak_rss_mb / row.ours.peak_rss_mb - 1 };
    const shown = { ...row, predicted, off };
    printRow(shown, json);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const growth: Benchmark = {
  name: 'growth',
  about:
    'time and memory of LoRA steps beside what is predicted: --tokens 128,...,4096 on the 135M shape, then --shapes 10M,...,1B at 256 tokens; [--lean]',
  options: { tokens: { type: 'string' }, shapes: { type: 'string' }, lean: { type: 'boolean' } },
  async run({ json, own }) {
    const memory = own['lean'] === true ? 'lean' : 'fast';
    const list = (value: string | boolean | undefined, all: string): string[] =>
      String(value ?? all)
        .split(',')
        .filter((one) => one !== '');
    for (const tokens of list(own['tokens'], TOKENS)) await point('135M', Number(tokens), memory, json);
    for (const name of list(own['shapes'], Object.keys(SHAPES).join(','))) await point(name, 256, memory, json);
  },
};
