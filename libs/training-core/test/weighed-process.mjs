// node weighed-process.mjs RUN (as JSON: spec, rows, tokens, validation): a training run, to be weighed; prints this process's peak memory in bytes.
import { memoryFigures } from '@tunefleet/tensor';
import { train } from '../dist/index.js';

const { spec, rows, tokens, validation } = JSON.parse(process.argv[2]);
const sourceOf = (count) => ({
  count,
  get: (row) => ({
    ids: Int32Array.from({ length: tokens }, (_, at) => (at * 7 + row) % 60),
    weights: new Float32Array(tokens).fill(1),
    label: row % 2,
  }),
});
const hooks = { onStep: () => {}, onSnapshot: () => {}, onCheckpoint: () => {}, shouldStop: () => 'continue' };
await train(spec, sourceOf(rows), validation ? sourceOf(validation) : null, null, hooks);
console.log(memoryFigures().peak);
