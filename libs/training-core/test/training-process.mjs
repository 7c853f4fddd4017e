// A training run in a process of its own, for tests that kill it or weigh it: spec as JSON in argv[2], snapshot or "" in argv[3].
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { train } from '../dist/index.js';

const { rows } = JSON.parse(readFileSync(join(import.meta.dirname, '../../models/test/fixtures/expected.json'), 'utf8'));
const examples = rows.map(({ ids, weights }) => ({ ids: Int32Array.from(ids), weights: Float32Array.from(weights) }));
const say = (message) => console.log(JSON.stringify(message));

const { outcome, folder } = await train(
  JSON.parse(process.argv[2]),
  { count: examples.length, get: (index) => examples[index] },
  null,
  process.argv[3] || null,
  {
    onStep: (row) => {
      if (row.step % 20 === 0) globalThis.gc?.();
      say({ row, rss: process.memoryUsage.rss() });
    },
    onSnapshot: (at, step) => say({ snapshot: at, step }),
    onCheckpoint: () => {},
    shouldStop: () => 'continue',
  },
);
say({ outcome, folder });
