import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { type Provider, type TransferFigures, transferFigures } from '@tunefleet/tensor';
import { train } from '../src/loop/train.js';
import type { MetricsRow, TrainingHooks, TrainingSpec } from '../src/spec.js';
import { expected, folderOf, recording, relative, rowsOf, specOf } from './fixture.js';

/** Every batch in two micro-batches, so that gradients are summed where they are; a snapshot after step 16 of 20. */
const SETTINGS = { micro_batch_size: expected.batch / 2, snapshot: { every_steps: 16, keep: 1 } };
const ROWS = rowsOf(expected.rows);

/** Bytes of the tensors in a safetensors file. */
const tensorBytes = (path: string): number => {
  const file = readFileSync(path);
  return file.length - 8 - Number(file.readBigUInt64LE(0));
};
const WEIGHTS = tensorBytes(join(folderOf('tiny-llama'), 'model.safetensors'));

const run = async (spec: TrainingSpec, hooks: Partial<TrainingHooks> = {}, resume: string | null = null): Promise<MetricsRow[]> => {
  const rows: MetricsRow[] = [];
  const onStep = (row: MetricsRow): void => {
    rows.push(row);
    hooks.onStep?.(row);
  };
  await train(spec, ROWS, null, resume, { ...recording(), ...hooks, onStep });
  return rows;
};

/** Bytes that each step but the first takes to and from this process; what checkpoints and snapshots take is left out. */
const transfers = (): { hooks: Pick<TrainingHooks, 'onStep' | 'onSnapshot' | 'onCheckpoint'>; steps: TransferFigures[] } => {
  const steps: TransferFigures[] = [];
  let before: TransferFigures | undefined;
  const onStep = (): void => {
    const { fed, fetched } = transferFigures();
    if (before) steps.push({ fed: fed - before.fed, fetched: fetched - before.fetched });
    before = { fed, fetched };
  };
  const written = (): void => {
    before = transferFigures();
  };
  return { hooks: { onStep, onSnapshot: written, onCheckpoint: written }, steps };
};

const largest = (values: readonly number[]): number => Math.max(...values);
const errors = (found: readonly MetricsRow[], wanted: readonly MetricsRow[]): number[] =>
  found.map(({ step, train_loss }) => relative(train_loss, wanted[step - 1]!.train_loss));

/**
 * 20 steps on a provider with state in its memory: the losses are the CPU's, up to `curve` relative; no step moves weights, gradients or moments; a run
 * that goes on from the snapshot has the same losses again, up to `resumed`.
 */
export const expectDeviceTraining = async (
  adapter: 'full' | 'lora',
  provider: Provider,
  tolerances: { curve: number; resumed: number },
): Promise<void> => {
  const wanted = await run(await specOf('tiny-llama', adapter, SETTINGS));
  const spec = await specOf('tiny-llama', adapter, { ...SETTINGS, provider, state: 'device' });
  const { hooks, steps } = transfers();
  const found = await run(spec, hooks);
  expect(found.map(({ step }) => step)).toEqual(wanted.map(({ step }) => step));
  expect(largest(errors(found, wanted))).toBeLessThan(tolerances.curve);

  expect(steps).toHaveLength(found.length - 1);
  // Loss and count of right tokens of two passes at most, one norm: float32.
  expect(largest(steps.map(({ fetched }) => fetched))).toBe(4 * (2 * 2 + 1));
  // What the rows say, and scalars.
  expect(largest(steps.map(({ fed }) => fed))).toBeLessThan(WEIGHTS / 4);

  const again = await run(spec, {}, join(spec.folder, 'snapshots', '16'));
  expect(again.map(({ step }) => step)).toEqual([17, 18, 19, 20]);
  expect(largest(errors(again, found))).toBeLessThanOrEqual(tolerances.resumed);
};

/** What a step takes to and from this process where state is kept there: the weights of each pass, and their gradients. */
export const expectCopies = async (provider: Provider): Promise<void> => {
  const { hooks, steps } = transfers();
  await run(await specOf('tiny-llama', 'full', { ...SETTINGS, provider, state: 'host', max_steps: 2 }), hooks);
  expect(steps[0]!.fed).toBeGreaterThan(2 * WEIGHTS);
  expect(steps[0]!.fetched).toBeGreaterThan(2 * WEIGHTS);
};
