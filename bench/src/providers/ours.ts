/** One provider, a process of its own: node ours.js FOLDER lora|full THREADS PROVIDER PRODUCT_SIZE. */
import { memoryFigures, operationsOf, type Provider, transferFigures } from '@tunefleet/tensor';
import { train } from '@tunefleet/training-core';
import { readRows, stepSpec, type Variant } from '../llama-step/spec.js';
import { stepProducts } from '../llama-step/step-products.js';
import { STEPS, WARM_UP } from '../llama-step/work.js';
import { productRate } from './product-rate.js';

const [folder = '', variant = 'lora', threads = '2', chosen = 'cpu', size = '2048'] = process.argv.slice(2);
const provider = chosen as Provider;
const rows = readRows(folder);
const spec = { ...stepSpec(folder, variant as Variant, Number(threads)), provider };
const tokens = rows[0]!.ids.length - 1;

const marks: { seconds: number; fed: number; fetched: number }[] = [];
let peak = 0;
await train(spec, { count: rows.length, get: (index) => rows[index]! }, null, null, {
  onStep: ({ step }) => {
    if (step === WARM_UP || step === STEPS) marks.push({ seconds: performance.now() / 1000, ...transferFigures() });
    if (step === STEPS) peak = memoryFigures().peak / 2 ** 20;
  },
  onSnapshot: () => {},
  onCheckpoint: () => {},
  shouldStop: () => 'continue',
});
const [before, after] = marks as [(typeof marks)[0], (typeof marks)[0]];
const steps = STEPS - WARM_UP;
const seconds = after.seconds - before.seconds;
const operations = (await stepProducts(spec, tokens, provider)).reduce((sum, product) => sum + operationsOf(product), 0);
const rate = await productRate(provider, Number(size), spec.threads);
const figures = {
  value: (steps * tokens) / seconds,
  seconds,
  peak_rss_mb: peak,
  products_gflop: operations / 1e9,
  step_gflops: (operations * steps) / seconds / 1e9,
  matmul_gflops: rate / 1e9,
  share_of_matmul_rate: (operations * steps) / seconds / rate,
  fed_kb_a_step: (after.fed - before.fed) / steps / 1e3,
  fetched_kb_a_step: (after.fetched - before.fetched) / steps / 1e3,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);
