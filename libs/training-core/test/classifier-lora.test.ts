import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { openSafetensors, readAdapterLabels, readLoraFolder } from '@tunefleet/model-formats';
import { openTextClassifier } from '@tunefleet/models';
import { classifierAdapters, classifiers } from '../../models/test/classifiers.js';
import { train } from '../src/loop/train.js';
import type { LoraSpec, TrainingSpec } from '../src/spec.js';
import { ALL, headlessBert, labels, specOf } from './classifier-fixture.js';
import { folderOf, recording, relative } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const NAMES = Object.keys(classifierAdapters.adapters);
const adapterOf = (name: string): string => folderOf(`classifier-adapters/${name}`);
const LORA: LoraSpec = { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' };

/** A run that goes on from one of PEFT's adapters. */
async function specLike(name: string, changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> {
  const { base: _base, task: _task, ...settings } = (await readLoraFolder(adapterOf(name))).config;
  const base = folderOf(classifierAdapters.adapters[name]!.base);
  return specOf(base, { adapter: { type: 'lora', ...settings } as LoraSpec, continueFrom: adapterOf(name), ...changes });
}

async function run(spec: TrainingSpec, hooks = recording(), resume: string | null = null) {
  return { ...(await train(spec, ALL, null, resume, hooks)), losses: hooks.rows.map(({ train_loss }) => train_loss) };
}

async function tensorsOf(folder: string): Promise<string[]> {
  const file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  await file.close();
  return file.names.map((name) => `${name} [${file.info(name).shape.join()}]`);
}

test.each(NAMES)("60 steps from PEFT's adapter `%s` follow PyTorch and PEFT, and its file keeps PEFT's names", async (name) => {
  const { folder, losses } = await run(await specLike(name));
  const curve = classifierAdapters.adapters[name]!.losses;
  expect(losses).toHaveLength(60);
  expect(Math.max(...losses.map((loss, step) => relative(loss, curve[step]!)))).toBeLessThan(1e-3);
  expect((await readLoraFolder(folder)).config).toEqual((await readLoraFolder(adapterOf(name))).config);
  expect(await tensorsOf(folder)).toEqual(await tensorsOf(adapterOf(name)));
});

test.each(NAMES)('a new adapter with the settings of `%s` has the tensors that PEFT makes, and names its classes', async (name) => {
  const { continueFrom: _start, ...spec } = await specLike(name, { max_steps: 1 });
  const { folder } = await run(spec);
  expect(await tensorsOf(folder)).toEqual(await tensorsOf(adapterOf(name)));
  expect((await readLoraFolder(folder)).config.task).toBe('SEQ_CLS');
  expect(await readAdapterLabels(folder)).toEqual(labels);
});

test('an encoder without pooler and head learns both whole, answers as it was trained, and goes on', async () => {
  const base = await headlessBert({ pooler: false });
  const spec = await specOf(base, {
    adapter: { ...LORA, dropout: 0.1 },
    optimizer: { ...(await specOf(base)).optimizer, learning_rate: 5e-3 },
  });
  const { folder, losses } = await run(spec);
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
  const { saved } = await readLoraFolder(folder);
  expect([...saved.keys()].sort()).toEqual(['bert.pooler.dense.bias', 'bert.pooler.dense.weight', 'classifier.bias', 'classifier.weight']);
  const classifier = await openTextClassifier({ folder: base, adapter: folder, threads: 1 });
  const answers = await classifier.classify(classifiers.rows.map(({ ids }) => ids));
  await classifier.close();
  const loss = answers.reduce((sum, row, index) => sum - Math.log(row[classifiers.rows[index]!.label]!) / answers.length, 0);
  // Without dropout, after the last step: the mean over the rows is what validation says of the same adapter.
  const again = recording();
  const { optimizer, ...next } = await specOf(base, { adapter: LORA, continueFrom: folder, epochs: 1, max_steps: 1 });
  await train({ ...next, optimizer: { ...optimizer, learning_rate: 0 } }, ALL, ALL, null, again);
  expect(relative(again.rows.at(-1)!.valid_loss!, loss)).toBeLessThan(1e-5);
});

test('an adapter goes on with the same classes in another order; with other classes its head is new', async () => {
  const first = await run(await specOf(folderOf('tiny-llama'), { adapter: LORA, max_steps: 20 }));
  const goesOn = async (names: string[], order: readonly number[]): Promise<number> => {
    const rows = classifiers.rows.map((row) => ({ ...row, label: order[row.label]! }));
    const hooks = recording();
    const spec = await specOf(folderOf('tiny-llama'), { adapter: LORA, continueFrom: first.folder, max_steps: 1 });
    const source = { count: rows.length, get: (row: number) => ({ ...ALL.get(row), label: rows[row]!.label }) };
    await train({ ...spec, task: { type: 'classification', labels: names } }, source, null, null, hooks);
    return hooks.rows[0]!.train_loss;
  };
  const same = await goesOn(labels, [0, 1, 2]);
  expect(relative(await goesOn([labels[2]!, labels[0]!, labels[1]!], [1, 2, 0]), same)).toBeLessThan(1e-6);
  expect(relative(await goesOn(['a', 'b', 'c'], [0, 1, 2]), same)).toBeGreaterThan(1e-2);
});

test.each(['tiny-bert-classifier', 'tiny-llama'])('over a 4-bit base, %s answers as it was trained', async (name) => {
  const base = folderOf(name);
  const spec = await specOf(base, { adapter: LORA, base_precision: 'int4', max_steps: 8, epochs: 1 });
  const hooks = recording();
  const { folder } = await train(spec, ALL, ALL, null, hooks);
  const lossOver = async (precision: 'int4' | 'float32'): Promise<number> => {
    const classifier = await openTextClassifier({ folder: base, adapter: folder, precision, threads: 1 });
    const answers = await classifier.classify(classifiers.rows.map(({ ids }) => ids));
    await classifier.close();
    return answers.reduce((sum, row, index) => sum - Math.log(row[classifiers.rows[index]!.label]!) / answers.length, 0);
  };
  const said = hooks.rows.at(-1)!.valid_loss!;
  expect(relative(await lossOver('int4'), said)).toBeLessThan(1e-5);
  expect(relative(await lossOver('float32'), said)).toBeGreaterThan(1e-3);
});

test('a run that was paused ends in the same bytes', async () => {
  const settings = {
    adapter: { ...LORA, dropout: 0.2 },
    micro_batch_size: 3,
    max_steps: 8,
    shuffle: true,
    snapshot: { every_steps: 3, keep: 2 },
  };
  const base = await headlessBert({ pooler: true });
  const whole = await run(await specOf(base, settings));
  const spec = await specOf(base, settings);
  const begun = recording({ shouldStop: () => (begun.rows.length === 4 ? 'pause' : 'continue') });
  const paused = await run(spec, begun);
  expect(paused.outcome).toBe('paused');
  const rest = await run(spec, recording(), paused.folder);
  const bytes = (folder: string): Promise<Buffer> => readFile(join(folder, 'adapter_model.safetensors'));
  expect((await bytes(rest.folder)).equals(await bytes(whole.folder))).toBe(true);
});

test("settings that fit no layer of the model, and a language model's adapter, are refused by name", async () => {
  const refused = async (changes: Partial<TrainingSpec>, named: string): Promise<void> => {
    const spec = await specOf(folderOf('tiny-bert-classifier'), { adapter: LORA, ...changes });
    await expect(run(spec)).rejects.toMatchObject({ code: 'invalid_spec', message: expect.stringContaining(named) });
  };
  await refused({ adapter: { ...LORA, targets: ['q_proj'] } }, 'adapter.targets');
  await refused({ adapter: { ...LORA, targets: '.*(query|classifier)' } }, 'adapter.targets');
  await refused({ adapter: { ...LORA, layers_to_transform: [2] } }, 'adapter.layers_to_transform');
  await refused({ adapter: { ...LORA, modules_to_save: ['lm_head'] } }, 'adapter.modules_to_save');
  await refused({ freeze: { backbone: true } }, 'freeze.backbone');
  const llama = folderOf('tiny-llama');
  await refused({ base: llama, continueFrom: folderOf('tiny-llama-lora') }, 'SEQ_CLS');
  await refused({ base: llama, task: { type: 'causal_lm' }, continueFrom: adapterOf('llama-new-head') }, 'SEQ_CLS');
});
