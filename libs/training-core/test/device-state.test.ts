import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest } from '@jest/globals';
import { randomStream } from '@tunefleet/models';
import { copier, type DeviceTensor, hasNativeInterface } from '@tunefleet/tensor';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { train } from '../src/loop/train.js';
import { flatLayout, viewOf } from '../src/parameters.js';
import type { ExampleSource, TrainingSpec } from '../src/spec.js';
import { DeviceState } from '../src/state/device-state.js';
import { HostState } from '../src/state/host-state.js';
import { expectCopies, expectDeviceTraining } from './device-training.js';
import { expected, folderOf, recording, relative, rowsOf, specOf } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const native = skipUnless(hasNativeInterface(), 'koffi: it does not load here');

for (const adapter of ['full', 'lora'] as const)
  native(
    `state in tensors of the CPU's provider: the curve of state in arrays, no copies, and a resume to the same losses, ${adapter}`,
    async () => {
      await expectDeviceTraining(adapter, 'cpu', { curve: 1e-5, resumed: 0 });
    },
  );

native('with state in arrays a step does move weights and gradients: what is counted is what is moved', async () => {
  await expectCopies('cpu');
});

const layout = flatLayout([
  ['table', [7, 20]],
  ['bias', [5]],
  ['wide', [3, 401]],
]);

native('sums and updates of state in tensors are, bit by bit, those of state in arrays', async () => {
  const optimizer = { learning_rate: 1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1 } as const;
  const scratch = await mkdtemp(join(tmpdir(), 'tunefleet-state-'));
  const host = new HostState({ layout }, optimizer);
  const device = await DeviceState.open(layout, { provider: 'cpu', threads: 2, optimizer, scratch });
  const mover = await copier('cpu');
  const random = randomStream(7, 'shuffle');
  const draw = (flat: Float32Array, scale: number): void => {
    for (const slot of layout.slots) viewOf(flat, slot).set(Float32Array.from({ length: slot.length }, () => random.normal() * scale));
  };
  const begun = new Float32Array(layout.size);
  draw(begun, 1);
  for (const state of [host, device]) await state.begin(async ({ parameters }) => parameters.set(begun));
  const gradients = new Float32Array(layout.size);
  for (let step = 0; step < 6; step++) {
    for (const first of [true, false, false]) {
      draw(gradients, 10 ** (step - 3));
      const [arrays, tensors] = [Object.values(host.gradients.places(first)), Object.values(device.gradients.places(first))];
      for (const [index, slot] of layout.slots.entries()) {
        (arrays[index] as Float32Array).set(viewOf(gradients, slot));
        await mover.copy(viewOf(gradients, slot), tensors[index] as DeviceTensor);
      }
      for (const state of [host, device]) await state.gradients.add(first, {}, new Map());
    }
    const norms = [await host.norm(0.3), await device.norm(0.3)];
    expect(relative(norms[1]!, norms[0]!)).toBeLessThan(1e-6);
    for (const state of [host, device]) await state.update(0.3 / norms[0]!, 0.01 / (step + 1));
    expect(await device.read()).toEqual(await host.read());
  }
  expect(device.updates).toBe(6);
  await device.gradients.clear();
  expect(await device.norm(1)).toBe(0);
  await mover.release();
  await device.release();
});

const losses = async (spec: TrainingSpec, rows: ExampleSource): Promise<number[]> => {
  const hooks = recording();
  await train(spec, rows, rows, null, hooks);
  return hooks.rows.flatMap(({ train_loss, valid_loss }) => [train_loss, valid_loss ?? train_loss]);
};

const labels = ['low', 'middle', 'high'];
const CLASSIFIERS: readonly [string, Partial<TrainingSpec>][] = [
  ['a table of words that learns by rows', {}],
  ['a head on a frozen backbone', { freeze: { backbone: true } }],
];

for (const [what, changes] of CLASSIFIERS)
  native(`${what} learns the same with state in tensors`, async () => {
    const rows: ExampleSource = { count: 12, get: (row) => ({ ...rowsOf(expected.rows).get(row), label: row % labels.length }) };
    const spec = async (state: 'host' | 'device'): Promise<TrainingSpec> => {
      const { continueFrom: _, ...rest } = await specOf('tiny-llama', 'full', { ...changes, state, max_steps: 6 });
      return { ...rest, base: folderOf('tiny-bert-classifier'), task: { type: 'classification', labels } };
    };
    const [wanted, found] = [await losses(await spec('host'), rows), await losses(await spec('device'), rows)];
    expect(found.length).toBe(wanted.length);
    for (const [index, loss] of found.entries()) expect(relative(loss, wanted[index]!)).toBeLessThan(1e-5);
  });

native('an overflow of float16 leaves state in tensors as it was', async () => {
  const rows = expected.rows.map(({ ids, weights }) => ({ ids, weights: weights.map((weight) => weight * 200) }));
  const skipped = async (state: 'host' | 'device'): Promise<boolean[]> => {
    const hooks = recording();
    await train(await specOf('tiny-llama', 'full', { precision: 'float16', max_steps: 12, state }), rowsOf(rows), null, null, hooks);
    return hooks.rows.map((row) => row.skipped !== undefined);
  };
  const found = await skipped('device');
  expect(found).toContain(true);
  expect(found).toContain(false);
  expect(found).toEqual(await skipped('host'));
});
