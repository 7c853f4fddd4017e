import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { estimateRun, measureRates } from '@tunefleet/training-core';
import type { Benchmark } from '../benchmark.js';
import { compare, printRow } from '../compare.js';
import { VARIANTS, type Variant } from '../llama-step/spec.js';
import { SHAPES } from './shapes.js';
import { type Point, specOf, writeBase } from './work.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const THREADS = 2;
const TOKENS = '128,256,512,1024,2048,4096';
/** What of a machine's memory a point may need, and is left out by name beyond. */
const ROOM_MB = 20_000;

/** One point: steps on a shape, one row of so many tokens each; measured beside what is foretold. */
async function measure(name: string, point: Point, json: boolean): Promise<void> {
  const shape = SHAPES[name];
  if (!shape) throw new Error(`no shape '${name}'; there are ${Object.keys(SHAPES).join(', ')}`);
  const variant = `${name}, ${point.variant}, ${point.tokens} tokens, ${point.memory}`;
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-growth-'));
  try {
    // Before each: what else the machine does changes.
    const rates = await measureRates(THREADS);
    const spec = specOf(folder, point);
    const data = { examples: 1, tokens: point.tokens + 1, trained_tokens: point.tokens, longest: point.tokens + 1 };
    const [one, none] = [1, 0].map((steps) => estimateRun({ family: 'llama', config: shape }, { ...spec, data, steps }, rates));
    const predicted = { seconds: one!.seconds - none!.seconds, peak_rss_mb: one!.peak_memory_bytes / 2 ** 20 };
    if (predicted.peak_rss_mb > ROOM_MB) {
      process.stderr.write(`growth: left out, it needs ${predicted.peak_rss_mb.toFixed(0)} MB: ${variant}\n`);
      return;
    }
    await writeBase(join(folder, 'base'), shape);
    const ours = { command: process.execPath, args: [OURS, folder, String(shape.vocabularySize), JSON.stringify(point)] };
    const row = await compare({ bench: 'growth', variant, unit: 'tokens/s', ours, peer: null, rounds: 1 });
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
    'time and memory of training steps beside what is foretold: --tokens 128,...,4096 on the 135M shape, then --shapes 10M,...,1B at 256 tokens; [--lean] [--variant lora|qlora|full] [--steps 5]',
  options: {
    tokens: { type: 'string' },
    shapes: { type: 'string' },
    lean: { type: 'boolean' },
    variant: { type: 'string' },
    steps: { type: 'string' },
  },
  async run({ json, own }) {
    const { tokens = TOKENS, shapes = Object.keys(SHAPES).join(','), lean = false, variant = 'lora', steps = '5' } = own;
    const list = (value: string | boolean): string[] => String(value).split(',').filter(Boolean);
    if (!VARIANTS.includes(variant as Variant)) throw new Error(`no variant '${variant}'; there are ${VARIANTS.join(', ')}`);
    const point = (count: number): Point => ({
      variant: variant as Variant,
      memory: lean ? 'lean' : 'fast',
      tokens: count,
      steps: Number(steps),
      threads: THREADS,
    });
    for (const count of list(tokens)) await measure('135M', point(Number(count)), json);
    for (const name of list(shapes)) await measure(name, point(256), json);
  },
};
