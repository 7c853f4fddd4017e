/** Our side, a process of its own: node ours.js BASE WORK.json THREADS. The last line is {"losses": [...], "logits": [[...]]}. */
import { readFileSync } from 'node:fs';
import { openModelFolder } from '@tunefleet/model-formats';
import { classifierOf, mapWeights, weightParts } from '@tunefleet/models';
import { compile, GraphBuilder } from '@tunefleet/tensor';
import { trainSst2 } from '../encoder.js';
import type { Sst2Work } from '../sst2.js';

const [base = '', file = '', threads = '2'] = process.argv.slice(2);
const work = JSON.parse(readFileSync(file, 'utf8')) as Sst2Work & { logit_rows: number };

/** Of the first rows, before training. */
async function logits(): Promise<number[][]> {
  const { weights, shapes, labels: _labels, ...backbone } = await openModelFolder(base);
  const frozen = await mapWeights(weights, shapes);
  const classifier = classifierOf(backbone);
  const builder = new GraphBuilder();
  const still = frozen.in(builder);
  const parts = {
    ...weightParts((name) => (shapes.has(name) ? still(name) : undefined)),
    dropout: <X>(_site: string, _p: number, x: X) => x,
  };
  const { features } = classifier.features(builder, parts);
  const graph = await compile({ outputs: { logits: classifier.head(parts, features) }, threads: Number(threads) });
  const rows = work.ids.slice(0, work.logit_rows).map((ids) => ({ ids: Int32Array.from(ids), weights: new Float32Array(0), label: 0 }));
  const { logits: found } = await graph.run(classifier.batch(rows)!.feeds);
  const width = work.names.length;
  const all = rows.map((_, row) => [...(found!.data as Float32Array).subarray(row * width, (row + 1) * width)]);
  await graph.release();
  await frozen.release();
  await weights.close();
  return all;
}

const losses: number[] = [];
const found = await logits();
await trainSst2(
  () => ({ epochs: 1 }),
  ({ train_loss }) => losses.push(train_loss),
);
process.stdout.write(`${JSON.stringify({ losses, logits: found })}\n`);
