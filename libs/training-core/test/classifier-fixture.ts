import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSafetensors, writeSafetensors } from '@tunefleet/model-formats';
import { classifiers } from '../../models/test/classifiers.js';
import type { ExampleSource, TrainingSpec } from '../src/spec.js';
import { folderOf, workFolder } from './fixture.js';

export const labels = classifiers.labels;

export const rowsOf = (rows: typeof classifiers.rows): ExampleSource => ({
  count: rows.length,
  get: (row) => ({ ids: Int32Array.from(rows[row]!.ids), weights: new Float32Array(0), label: rows[row]!.label }),
});
export const ALL = rowsOf(classifiers.rows);

/** The settings of the fixture's curves, full tuning: clipping, warm-up, cosine, weight decay, file order. */
export async function specOf(base: string, changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> {
  return {
    base,
    task: { type: 'classification', labels },
    adapter: { type: 'full' },
    optimizer: {
      type: 'adamw',
      learning_rate: classifiers.rate,
      betas: classifiers.betas,
      eps: classifiers.eps,
      weight_decay: classifiers.weight_decay,
      max_grad_norm: classifiers.max_norm,
      schedule: { type: 'cosine', warmup_ratio: classifiers.warmup },
    },
    epochs: 10,
    batch_size: classifiers.batch,
    micro_batch_size: classifiers.batch,
    max_steps: classifiers.steps,
    shuffle: false,
    seed: 1,
    snapshot: { every_steps: 1000, keep: 2 },
    threads: 1,
    folder: await workFolder(),
    ...changes,
  };
}

/** The fixture as a base: no head, names without the prefix, as a BertModel is saved; with dropout. */
export async function headlessBert({ pooler }: { pooler: boolean }): Promise<string> {
  const folder = join(await workFolder(), 'base');
  await cp(folderOf('tiny-bert-classifier'), folder, { recursive: true });
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  const dropout = { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.2 };
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, architectures: ['BertModel'], ...dropout }));
  const file = await openSafetensors(join(folder, 'model.safetensors'));
  const kept = file.names.filter((name) => !name.startsWith('classifier') && (pooler || !name.includes('pooler')));
  const tensors = await Promise.all(
    kept.map(async (name) => ({ ...file.info(name), name: name.replace('bert.', ''), data: await file.bytes(name) })),
  );
  await file.close();
  await rm(join(folder, 'model.safetensors'));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  return folder;
}
