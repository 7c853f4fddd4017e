/** One point, a process of its own: node ours.js FOLDER VOCABULARY POINT (as JSON). The last line is a `Measured` of the median step. */
import { memoryFigures } from '@tunefleet/tensor';
import { train } from '@tunefleet/training-core';
import { median } from '../median.js';
import { type Point, rowsOf, specOf } from './work.js';

const [folder = '', vocabulary = '', json = '{}'] = process.argv.slice(2);
const point = JSON.parse(json) as Point;
const rows = rowsOf(point, Number(vocabulary));
const ends: number[] = [];

await train(specOf(folder, point), { count: rows.length, get: (index) => rows[index]! }, null, null, {
  onStep: () => {
    ends.push(performance.now());
  },
  onSnapshot: () => {},
  onCheckpoint: () => {},
  shouldStop: () => (ends.length < point.steps ? 'continue' : 'stop'),
});

// From the end of the first step, which also makes the session, to that of the last.
const steps = ends.slice(1).map((end, index) => (end - ends[index]!) / 1000);
const seconds = median(steps);
process.stdout.write(
  `${JSON.stringify({ value: point.tokens / seconds, seconds, peak_rss_mb: memoryFigures().peak / 2 ** 20, steps_seconds: steps })}\n`,
);
