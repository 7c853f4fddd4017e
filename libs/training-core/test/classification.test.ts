import { existsSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { openModelFolder } from '@tunefleet/model-formats';
import { type ClassifierName, classifiers } from '../../models/test/classifiers.js';
import { train } from '../src/loop/train.js';
import { openClassifierBase } from '../src/model/classifier-base.js';
import type { TrainingSpec } from '../src/spec.js';
import { ALL, headlessBert, labels, rowsOf, specOf } from './classifier-fixture.js';
import { folderOf, recording, relative, workFolder } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const NAMES: ClassifierName[] = ['tiny-bert-classifier', 'tiny-llama-classifier'];
const KINDS = ['full', 'frozen'] as const;

const specFor = (base: string, kind: (typeof KINDS)[number], changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> =>
  specOf(base, { ...(kind === 'frozen' ? { freeze: { backbone: true } } : {}), ...changes });

test.each(NAMES.flatMap((name) => KINDS.map((kind) => [name, kind] as const)))(
  '60 steps of %s, %s, follow the curve of PyTorch',
  async (name, kind) => {
    const hooks = recording();
    await train(await specFor(folderOf(name), kind), ALL, null, null, hooks);
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
    await train(await specFor(folderOf(NAMES[0]!), 'full', { micro_batch_size, max_steps: 20 }), ALL, null, null, hooks);
    curves.push(hooks.rows.map((row) => row.train_loss));
  }
  for (const [step, loss] of curves[1]!.entries()) expect(relative(loss, curves[0]![step]!)).toBeLessThan(1e-5);
});

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
  const through = await run(await specFor(base, kind, settings), null, () => 'continue');
  const spec = await specFor(base, kind, settings);
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

test('a head that gives two classes the same name is not taken over', async () => {
  const headOf = async (own: readonly string[]): Promise<Float32Array> => {
    const base = join(await workFolder(), 'base');
    await cp(folderOf('tiny-llama-classifier'), base, { recursive: true });
    const config = JSON.parse(await readFile(join(base, 'config.json'), 'utf8')) as Record<string, unknown>;
    await writeFile(join(base, 'config.json'), JSON.stringify({ ...config, id2label: { ...own } }));
    const { weights, initial } = await openClassifierBase(base, labels, 1);
    const head = await initial('score.weight');
    await weights.close();
    return head;
  };
  const fresh = await headOf(['a', 'b', 'c']);
  expect(await headOf([labels[0]!, labels[0]!, labels[1]!])).toEqual(fresh);
  expect(await headOf(labels)).not.toEqual(fresh);
});

test('a frozen backbone comes out as it went in; the head does not', async () => {
  const base = folderOf('tiny-bert-classifier');
  const { folder } = await train(await specFor(base, 'frozen', { max_steps: 3 }), ALL, null, null, recording());
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
  const spec = await specFor(folderOf('tiny-bert-classifier'), 'frozen', changes);
  await expect(train(spec, ALL, null, null, recording())).rejects.toMatchObject({
    code: 'invalid_spec',
    message: expect.stringContaining(named),
  });
});
