import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { openSafetensors, readLoraFolder } from '@tunefleet/model-formats';
import { train } from '../src/loop/train.js';
import type { LoraSpec, TrainingSpec } from '../src/spec.js';
import { expected, folderOf, type ModelName, recording, relative, rowsOf, specOf } from './fixture.js';

jest.setTimeout(60_000);

/** What PEFT trained from each of its adapters (models/test/fixtures/make_adapters.py): 6 steps of 8 rows, the first 5 of which are an epoch. */
const peft = JSON.parse(readFileSync(folderOf('adapters.json'), 'utf8')) as {
  rate: number;
  adapters: Record<string, { base: ModelName; losses: number[] }>;
};
const NAMES = Object.keys(peft.adapters);
const rows = rowsOf(expected.rows.slice(0, 40));

const adapterFolder = (name: string): string => folderOf(`adapters/${name}`);

/** The settings of one of PEFT's adapters, and the run that PEFT did with it. */
async function specLike(name: string, changes: Partial<TrainingSpec> = {}): Promise<TrainingSpec> {
  const { base: _base, ...settings } = (await readLoraFolder(adapterFolder(name))).config;
  const spec = await specOf(peft.adapters[name]!.base, 'lora', { adapter: { type: 'lora', ...settings } satisfies LoraSpec, ...changes });
  spec.optimizer = {
    ...spec.optimizer,
    learning_rate: peft.rate,
    betas: [0.9, 0.999],
    weight_decay: 0,
    schedule: { type: 'constant', warmup_ratio: 0 },
  };
  return { ...spec, epochs: 2, max_steps: 6 };
}

async function tensorsOf(folder: string): Promise<string[]> {
  const file = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  await file.close();
  return file.names.map((name) => `${name} [${file.info(name).shape.join()}]`);
}

test.each(NAMES)("training goes on from PEFT's adapter `%s` as PEFT does", async (name) => {
  const hooks = recording();
  const { folder } = await train(await specLike(name, { continueFrom: adapterFolder(name) }), rows, null, null, hooks);
  const { losses } = peft.adapters[name]!;
  expect(hooks.rows).toHaveLength(losses.length);
  expect(Math.max(...hooks.rows.map(({ train_loss }, step) => relative(train_loss, losses[step]!)))).toBeLessThan(1e-4);
  expect((await readLoraFolder(folder)).config).toEqual((await readLoraFolder(adapterFolder(name))).config);
});

test.each(NAMES)('a new adapter with the settings of `%s` has the tensors that PEFT makes', async (name) => {
  const { continueFrom: _start, ...spec } = await specLike(name, { micro_batch_size: 4 });
  const { folder } = await train({ ...spec, max_steps: 1 }, rows, null, null, recording());
  expect(await tensorsOf(folder)).toEqual(await tensorsOf(adapterFolder(name)));
});

test('a continued adapter keeps the settings that its tensors are made by', async () => {
  const spec = await specLike('patterns', { continueFrom: adapterFolder('patterns') });
  const other = { ...spec, adapter: { ...spec.adapter, rank_pattern: {} } as LoraSpec };
  await expect(train(other, rows, null, null, recording())).rejects.toMatchObject({
    code: 'invalid_spec',
    message: expect.stringContaining('rank_pattern'),
  });
  const expression = { ...spec, adapter: { ...spec.adapter, targets: '(q_proj' } as LoraSpec };
  const { continueFrom: _start, ...fresh } = expression;
  await expect(train(fresh, rows, null, null, recording())).rejects.toMatchObject({
    code: 'invalid_spec',
    message: expect.stringContaining('RE2'),
  });
});
