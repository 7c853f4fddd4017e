/** Our side, a process of its own: node ours.js FOLDER MODEL THREADS float32|int4. Writes logits.f32; the last line is {"losses": [...]}. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { llamaTensorShapes } from '@tunefleet/model-formats';
import { type BasePrecision, causalLlama, openBaseWeights, weightParts, wholeLogits } from '@tunefleet/models';
import { compile, GraphBuilder } from '@tunefleet/tensor';
import { train } from '@tunefleet/training-core';
import { BATCH, LOGIT_ROWS, LORA, readRows, STEPS } from './work.js';

const [folder = '', model = '', threads = '2', base_precision = 'float32'] = process.argv.slice(2) as [
  string,
  string,
  string,
  BasePrecision,
];
const { ids, weights } = readRows(folder);
const rows = ids.map((row, index) => ({ ids: Int32Array.from(row), weights: Float32Array.from(weights[index] ?? []) }));

/** Logits of the tokens from which the first rows' trained-on tokens are predicted, [tokens, vocabulary]. */
async function logits(): Promise<Float32Array> {
  const base = await openBaseWeights(model, { precision: base_precision, scratch: folder });
  const network = causalLlama(base.config);
  const batch = network.batch(rows.slice(0, LOGIT_ROWS));
  if (!batch) throw new Error('no row is trained on');
  const builder = new GraphBuilder();
  const shapes = llamaTensorShapes(base.config);
  const weight = base.in(builder);
  const parts = weightParts((name) => (shapes.has(name) ? weight(name) : undefined));
  const outputs = network.build(builder, { ...parts, dropout: (_site, _probability, x) => x });
  const graph = await compile({
    outputs: { logits: wholeLogits(outputs.logits) },
    threads: Number(threads),
    folder: mkdtempSync(join(folder, 'graph-')),
  });
  const names = new Set(graph.inputs.map(({ name }) => name));
  const found = (await graph.run(Object.fromEntries(Object.entries(batch.feeds).filter(([name]) => names.has(name)))))['logits'];
  const copy = Float32Array.from(found?.data as Float32Array);
  await graph.release();
  await base.release();
  return copy;
}

async function losses(): Promise<number[]> {
  const curve: number[] = [];
  await train(
    {
      base: model,
      base_precision,
      adapter: { ...LORA },
      continueFrom: join(folder, 'initial'),
      optimizer: {
        type: 'adamw',
        learning_rate: 2e-4,
        betas: [0.9, 0.999],
        eps: 1e-8,
        weight_decay: 0,
        max_grad_norm: 1,
        schedule: { type: 'linear', warmup_ratio: 0.1 },
      },
      epochs: 1,
      batch_size: BATCH,
      micro_batch_size: BATCH,
      max_steps: STEPS,
      shuffle: false,
      seed: 1,
      snapshot: { every_steps: STEPS * 2, keep: 1 },
      threads: Number(threads),
      folder: join(folder, 'work'),
    },
    { count: rows.length, get: (index) => rows[index] as (typeof rows)[number] },
    null,
    null,
    { onStep: (row) => curve.push(row.train_loss), onSnapshot: () => {}, onCheckpoint: () => {}, shouldStop: () => 'continue' },
  );
  return curve;
}

writeFileSync(join(folder, 'logits.f32'), new Uint8Array((await logits()).buffer));
const curve = await losses();
rmSync(join(folder, 'work'), { recursive: true, force: true });
process.stdout.write(`${JSON.stringify({ losses: curve })}\n`);
