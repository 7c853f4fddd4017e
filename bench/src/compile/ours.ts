/** Our side, a process of its own: node ours.js BASE TOKENS THREADS FOLDER [CACHE]. Imports count too: the clock starts with the process. */
import { join } from 'node:path';
import { train } from '@tunefleet/training-core';
import { OPTIMIZER } from '../optimizer.js';

const [base = '', tokens = '64', threads = '2', folder = '', cache] = process.argv.slice(2);
const length = Number(tokens);
// Ids that every vocabulary of interest has; the same ones as in peers/compile.py.
const ids = Int32Array.from({ length }, (_, i) => 20 + ((i * 7919) % 40_000));

await train(
  {
    base,
    adapter: { type: 'lora', rank: 8, alpha: 16, dropout: 0, targets: 'all-linear' },
    optimizer: OPTIMIZER,
    epochs: 1,
    batch_size: 1,
    micro_batch_size: 1,
    max_steps: 1,
    shuffle: false,
    seed: 1,
    snapshot: { every_steps: 100, keep: 1 },
    threads: Number(threads),
    ...(cache === undefined ? {} : { cache: { folder: cache, weights: 'SmolLM2-135M-Instruct', bytes: 4e9 } }),
    folder: join(folder, `work-${process.pid}`),
  },
  { count: 1, get: () => ({ ids, weights: new Float32Array(length).fill(1) }) },
  null,
  null,
  {
    onStep() {
      const seconds = process.uptime();
      process.stdout.write(`${JSON.stringify({ value: seconds, seconds, peak_rss_mb: process.resourceUsage().maxRSS / 1024 })}\n`);
    },
    onSnapshot: () => {},
    onCheckpoint: () => {},
    shouldStop: () => 'continue',
  },
);
