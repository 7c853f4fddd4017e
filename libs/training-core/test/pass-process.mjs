// node pass-process.mjs SPEC TOKENS RECOMPUTED FOLDER: one training pass over one row; prints this process's peak memory in bytes.
import { compile, memoryFigures } from '@tunefleet/tensor';
import { openTrainable } from '../dist/model/open-trainable.js';
import { passGraph } from '../dist/model/pass-graph.js';
import { viewOf } from '../dist/parameters.js';

const [spec, tokens, recomputed, folder] = process.argv.slice(2);
const count = Number(tokens) + 1;
const model = await openTrainable(JSON.parse(spec), folder);
const parameters = new Float32Array(model.layout.size);
await model.initialize(parameters);
const batch = model.network.batch([
  { ids: Int32Array.from({ length: count }, (_, at) => (at * 7) % 60), weights: new Float32Array(count).fill(1) },
]);
const graph = await compile(passGraph(model, true, recomputed));
await graph.run({ ...batch.feeds, ...Object.fromEntries(model.layout.slots.map((slot) => [slot.name, viewOf(parameters, slot)])) });
await graph.release();
await model.close();
console.log(memoryFigures().peak);
