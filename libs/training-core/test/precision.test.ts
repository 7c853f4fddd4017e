import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { train } from '../src/loop/train.js';
import { initLossScale, type LossScale, nextLossScale } from '../src/optimizers/loss-scale.js';
import { readManifest } from '../src/snapshot/manifest.js';
import { expected, recording, relative, rowsOf, specOf } from './fixture.js';

test('the loss scale halves on overflow and doubles after 2,000 steps without', () => {
  let scale: LossScale = { scale: 1024, good_steps: 7 };
  scale = nextLossScale(scale, true);
  expect(scale).toEqual({ scale: 512, good_steps: 0 });
  for (let step = 0; step < 1999; step++) scale = nextLossScale(scale, false);
  expect(scale).toEqual({ scale: 512, good_steps: 1999 });
  expect(nextLossScale(scale, false)).toEqual({ scale: 1024, good_steps: 0 });
});

test.each(['full', 'lora'] as const)('20 steps in float16 follow the float32 curve, %s', async (adapter) => {
  const curves = [];
  for (const precision of ['float32', 'float16'] as const) {
    const hooks = recording();
    await train(await specOf('tiny-llama', adapter, { precision }), rowsOf(expected.rows), null, null, hooks);
    expect(hooks.rows.filter(({ skipped }) => skipped)).toEqual([]);
    curves.push(hooks.rows.map((row) => row.train_loss));
  }
  const [wide, half] = curves;
  const errors = half!.map((loss, step) => relative(loss, wide![step]!));
  // It did compute in float16, and the scaled gradients were brought back.
  expect(Math.max(...errors)).toBeGreaterThan(1e-7);
  expect(Math.max(...errors)).toBeLessThan(5e-3);
});

test('an overflow skips the step: no weight moves, Adam counts no step, the scale halves; a resume goes on the same', async () => {
  // The weights of the loss are what float16 overflows on here: they multiply every gradient.
  const rows = expected.rows.map(({ ids, weights }) => ({ ids, weights: weights.map((weight) => weight * 200) }));
  const settings = { precision: 'float16', snapshot: { every_steps: 1, keep: 100 }, max_steps: 12 } as const;
  const whole = recording();
  const spec = await specOf('tiny-llama', 'full', settings);
  await train(spec, rowsOf(rows), null, null, whole);
  const skipped = whole.rows.filter((row) => row.skipped).length;
  expect(skipped).toBeGreaterThan(0);
  expect(skipped).toBeLessThan(whole.rows.length);
  const last = await readManifest(join(spec.folder, 'snapshots', '11'));
  expect(last.loss_scale?.scale).toBe(initLossScale().scale / 2 ** skipped);
  expect(last.optimizer.step).toBe(11 - skipped);
  const weightsOf = (step: number): Buffer => readFileSync(join(spec.folder, 'snapshots', String(step), 'weights.safetensors'));
  const place = whole.rows.findIndex((row, index) => index > 0 && row.skipped);
  expect(place).toBeGreaterThan(0);
  expect(weightsOf(place + 1).equals(weightsOf(place))).toBe(true);

  const again = await specOf('tiny-llama', 'full', settings);
  const resumed = recording();
  await train(again, rowsOf(rows), null, join(spec.folder, 'snapshots', '2'), resumed);
  expect(resumed.rows).toEqual(whole.rows.slice(2));
  const result = (folder: string): Buffer => readFileSync(join(folder, 'result', 'model.safetensors'));
  expect(result(again.folder).equals(result(spec.folder))).toBe(true);
});

test('a precision or provider that is not there is refused by name', async () => {
  const run = async (changes: object): Promise<unknown> =>
    train(await specOf('tiny-llama', 'full', changes), rowsOf(expected.rows), null, null, recording());
  await expect(run({ precision: 'bfloat16' })).rejects.toThrow('precision = bfloat16 is not supported: it is one of float32, float16');
  await expect(run({ provider: 'tpu' })).rejects.toThrow('provider = tpu is not supported');
  await expect(run({ provider: 'cuda' })).rejects.toThrow(/provider: execution provider "cuda" is not part of this ONNX Runtime/);
});

test('auto says which provider it takes, and why', async () => {
  const phases: string[] = [];
  const hooks = recording({ onPhase: (text) => phases.push(text) });
  await train(await specOf('tiny-llama', 'full', { provider: 'auto', max_steps: 1 }), rowsOf(expected.rows), null, null, hooks);
  expect(phases[0]).toMatch(/^training on (cuda: a CUDA device answers|webgpu: a GPU answers: .+|cpu: no cuda \(.+\), no webgpu \(.+\))/);
});
