/** Our side, a process of its own: node ours.js FOLDER full|lora THREADS. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { train } from '@tunefleet/training-core';
import { OPTIMIZER } from '../optimizer.js';
import { BATCH, type Rows, STEPS, WARM_UP } from './work.js';

const [folder = '', variant = 'full', threads = '2'] = process.argv.slice(2);
const { ids, trained } = JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8')) as Rows;
const rows = ids.map((row) => ({
  ids: Int32Array.from(row),
  weights: Float32Array.from(row, (_, i) => (i >= row.length - trained ? 1 : 0)),
}));

let tokens = 0;
let started = 0;
await train(
  {
    base: join(folder, 'base'),
    adapter: variant === 'lora' ? { type: 'lora', rank: 8, alpha: 16, dropout: 0, targets: 'all-linear' } : { type: 'full' },
    optimizer: OPTIMIZER,
    epochs: 1,
    batch_size: BATCH,
    micro_batch_size: BATCH,
    max_steps: null,
    shuffle: false,
    seed: 1,
    snapshot: { every_steps: STEPS * 2, keep: 1 },
    threads: Number(threads),
    folder: join(folder, `work-${process.pid}`),
  },
  { count: rows.length, get: (index) => rows[index] as (typeof rows)[number] },
  null,
  null,
  {
    onStep: (row) => {
      if (row.step === WARM_UP) started = performance.now();
      else if (row.step > WARM_UP) tokens += row.tokens;
      if (row.step !== STEPS) return;
      const seconds = (performance.now() - started) / 1000;
      const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
      process.stdout.write(`${JSON.stringify({ value: tokens / seconds, seconds, peak_rss_mb: peak })}\n`);
    },
    onSnapshot: () => {},
    onCheckpoint: () => {},
    shouldStop: () => 'continue',
  },
);
