import { existsSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { openModelFolder, openSafetensors, writeSafetensors } from '@tunefleet/model-formats';
import { type ClassifierName, classifiers } from '../../models/test/classifiers.js';
import { train } from '../src/loop/train.js';
import type { ExampleSource, TrainingSpec } from '../src/spec.js';
import { folderOf, recording, relative, workFolder } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const NAMES: ClassifierName[] = ['tiny-bert-classifier', 'tiny-llama-classifier'];
const KINDS = ['full', 'frozen'] as const;
const labels = classifiers.labels;

const rowsOf = (rows: typeof classifiers.rows): ExampleSource => ({
  count: rows.length,
  get: (row) => ({ ids: Int32Array.from(rows[row]!.ids), weights: new Float32Array(0), label: rows[row]!.label }),
});
const ALL = rowsOf(classifiers.rows);

async function specOf(base: string, kind: (typeof KINDS)[number], changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> {
  return {
    base,
    task: { type: 'classification', labels },
    ...(kind === 'frozen' ? { freeze: { backbone: true } } : {}),
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

test.each(NAMES.flatMap((name) => KINDS.map((kind) => [name, kind] as const)))(
  '60 steps of %s, %s, follow the curve of PyTorch',
  async (name, kind) => {
    const hooks = recording();
    await train(await specOf(folderOf(name), kind), ALL, null, null, hooks);
    const curve = classifiers[name][kind];
    const errors = hooks.rows.map((row, step) => relative(row.train_loss, curve[step]!.loss));
    expect(errors).toHaveLength(curve.length);
    expect(Math.max(...errors)).toBeLessThan(1e-3);
    expect(hooks.rows.map((row) => row.train_accuracy)).toEqual(curve.map((point) => expect.closeTo(point.accuracy, 6)));
  },
);

test('micro-batches change memory, not the curve', async () => {
  const curves = [];
  for (const micro_batch_size of [8, 3]) {
    const hooks = recording();
    await train(await specOf(folderOf(NAMES[0]!), 'full', { micro_batch_size, max_steps: 20 }), ALL, null, null, hooks);
    curves.push(hooks.rows.map((row) => row.train_loss));
  }
  for (const [step, loss] of curves[1]!.entries()) expect(relative(loss, curves[0]![step]!)).toBeLessThan(1e-5);
});

/** The fixture as a base: no head, names without the prefix, as a BertModel is saved; with dropout. */
async function headlessBert({ pooler }: { pooler: boolean }): Promise<string> {
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

test.each([
  ['full', true],
  ['full', false],
  ['frozen', true],
  ['frozen', false],
] as const)('%s tuning of a headless base (pooler %s), stopped and paused, ends in the same bytes', async (kind, pooler) => {
  const base = await headlessBert({ pooler });
  const settings = {
    epochs: 2,
    batch_size: 16,
    micro_batch_size: 5,
    max_steps: null,
    shuffle: true,
    snapshot: { every_steps: 3, keep: 2 },
  };
  const validation = rowsOf(classifiers.rows.slice(40));
  const run = async (spec: TrainingSpec, resume: string | null, shouldStop: () => 'continue' | 'pause' | 'stop') => {
    const hooks = recording({ shouldStop });
    return { ...(await train(spec, ALL, validation, resume, hooks)), rows: hooks.rows };
  };
  const bytes = (folder: string) => readFile(join(folder, 'model.safetensors'));
  const through = await run(await specOf(base, kind, settings), null, () => 'continue');
  const spec = await specOf(base, kind, settings);
  let asked = 0;
  const paused = await run(spec, null, () => (asked++ > 12 ? 'pause' : 'continue'));
  expect(paused.outcome).toBe('paused');
  asked = 0;
  const stopped = await run(spec, paused.folder, () => (asked++ > 14 ? 'stop' : 'continue'));
  expect(stopped.outcome).toBe('stopped');
  const rest = await run(spec, join(spec.folder, 'snapshots', '3'), () => 'continue');
  expect(rest.outcome).toBe('finished');
  expect(rest.rows).toEqual(through.rows.slice(3));
  expect(Buffer.compare(await bytes(rest.folder), await bytes(through.folder))).toBe(0);
  const { labels: written, weights } = await openModelFolder(through.folder);
  expect(written).toEqual(labels);
  expect(weights.names).toContain('bert.pooler.dense.weight');
  await weights.close();
});

test('a frozen backbone comes out as it went in; the head does not', async () => {
  const base = folderOf('tiny-bert-classifier');
  const { folder } = await train(await specOf(base, 'frozen', { max_steps: 3 }), ALL, null, null, recording());
  const [before, after] = await Promise.all([openModelFolder(base), openModelFolder(folder)]);
  for (const name of before.weights.names) {
    const same = Buffer.compare(await before.weights.bytes(name), await after.weights.bytes(name)) === 0;
    expect([name, same]).toEqual([name, !name.startsWith('classifier.')]);
  }
  await before.weights.close();
  await after.weights.close();
  expect(existsSync(join(folder, 'config.json'))).toBe(true);
});

test.each([
  ['one class', { task: { type: 'classification' as const, labels: ['a'] } }, 'task.labels'],
  ['a class twice', { task: { type: 'classification' as const, labels: ['a', 'b', 'a'] } }, 'task.labels'],
  ['a frozen backbone without a head', { task: { type: 'causal_lm' as const } }, 'freeze.backbone'],
])('%s is refused', async (_name, changes, named) => {
  const spec = await specOf(folderOf('tiny-bert-classifier'), 'frozen', changes);
  await expect(train(spec, ALL, null, null, recording())).rejects.toMatchObject({
    code: 'invalid_spec',
    message: expect.stringContaining(named),
  });
});
