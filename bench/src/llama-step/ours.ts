/** Our side, a process of its own: node ours.js FOLDER lora|qlora|full THREADS fast|lean. */
import { memoryFigures } from '@tunefleet/tensor';
import { train } from '@tunefleet/training-core';
import { shareOfMatmulRate } from './share-of-matmul-rate.js';
import { readRows, stepSpec, type Variant } from './spec.js';
import { STEPS, WARM_UP } from './work.js';

const [folder = '', variant = 'lora', threads = '2', memory = 'fast'] = process.argv.slice(2);
const rows = readRows(folder);
const spec = {
  ...stepSpec(folder, variant as Variant, Number(threads)),
  memory: memory === 'lean' ? ('lean' as const) : ('fast' as const),
};
const tokens = rows[0]!.ids.length - 1;

let started = 0;
let seconds = 0;
let peak = 0;
await train(spec, { count: rows.length, get: (index) => rows[index]! }, null, null, {
  onStep: ({ step }) => {
    if (step === WARM_UP) started = performance.now();
    if (step !== STEPS) return;
    seconds = (performance.now() - started) / 1000;
    peak = memoryFigures().peak / 2 ** 20;
  },
  onSnapshot: () => {},
  onCheckpoint: () => {},
  shouldStop: () => 'continue',
});
const steps = STEPS - WARM_UP;
const share = await shareOfMatmulRate(spec, tokens, seconds / steps);
process.stdout.write(`${JSON.stringify({ value: (steps * tokens) / seconds, seconds, peak_rss_mb: peak, ...share })}\n`);
