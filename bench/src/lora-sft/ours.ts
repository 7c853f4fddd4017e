/** Our side, a process of its own: node ours.js FOLDER BASE THREADS. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { memoryFigures } from '@tunefleet/tensor';
import { train } from '@tunefleet/training-core';
import { stepSpec } from '../llama-step/spec.js';
import { BATCH, MICRO_BATCH, type Row, STEPS, WARM_UP } from './work.js';

const [folder = '', base = '', threads = '2'] = process.argv.slice(2);
const rows = (JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8')) as Row[]).map(({ ids, weights }) => ({
  ids: Int32Array.from(ids),
  weights: Float32Array.from(weights),
}));
const spec = { ...stepSpec(folder, 'lora', Number(threads)), base, batch_size: BATCH, micro_batch_size: MICRO_BATCH };

let started = 0;
await train(spec, { count: rows.length, get: (index) => rows[index]! }, null, null, {
  onStep: ({ step }) => {
    if (step === WARM_UP) started = performance.now();
    if (step !== STEPS) return;
    const seconds = (performance.now() - started) / 1000;
    const figures = { value: ((STEPS - WARM_UP) * BATCH) / seconds, seconds, peak_rss_mb: memoryFigures().peak / 2 ** 20 };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  },
  onSnapshot: () => {},
  onCheckpoint: () => {},
  shouldStop: () => 'continue',
});
