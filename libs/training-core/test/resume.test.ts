import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { train } from '../src/loop/train.js';
import { latestSnapshot } from '../src/snapshot/snapshot.js';
import type { TrainingHooks } from '../src/spec.js';
import { recording, relative } from './fixture.js';
import { type Ending, killWhen, ROWS, reference, STEPS, specFor, throughKills, VALIDATION } from './kills.js';

// Each case trains two or three times; other suites share the cores.
jest.setTimeout(60_000);

test.each(['full', 'lora'] as const)('a run repeated gives the same bytes, %s', async (adapter) => {
  const again = await throughKills(await specFor(adapter), () => ({}));
  const { files, rows } = await reference(adapter);
  expect(rows).toHaveLength(STEPS);
  expect(rows.filter((row) => row.valid_loss !== undefined).map((row) => row.step)).toEqual([3, 6, 9]);
  expect(again.rows).toEqual(rows);
  expect(again.files).toEqual(files);
});

// shouldStop is asked before each micro-batch: 5 times in training and once in validation an epoch. All of the second epoch, after the first snapshot.
const moments = [1, 6, 7, 8, 9, 10, 11, 17].map((moment) => ['full', moment] as const);
const loraMoments = [7, 9].map((moment) => ['lora', moment] as const);
test('on two threads a run repeated gives the same bytes too', async () => {
  const run = async (): Promise<Ending> => throughKills({ ...(await specFor('full')), threads: 2 }, () => ({}));
  const first = await run();
  expect(await run()).toEqual(first);
});

test.each([...moments, ...loraMoments])('%s tuning killed at micro-batch %i ends in the same bytes', async (adapter, moment) => {
  const spec = await specFor(adapter);
  const ending = await throughKills(spec, (attempt) => {
    let asked = 0;
    const patience = attempt === 0 ? moment : Number.POSITIVE_INFINITY;
    return {
      shouldStop() {
        killWhen(() => asked++ === patience);
        return 'continue';
      },
    };
  });
  expect(ending.attempts).toBeGreaterThan(1);
  expect(ending.rows).toEqual((await reference(adapter)).rows);
  expect(ending.files).toEqual((await reference(adapter)).files);
});

const announcements: [keyof TrainingHooks, number][] = [
  ['onStep', 3],
  ['onStep', 9],
  ['onSnapshot', 6],
  ['onCheckpoint', 3],
  ['onCheckpoint', 9],
];
test.each(announcements)('killed within %s of step %i, the bytes are the same', async (hook, step) => {
  const ending = await throughKills(await specFor('full'), (attempt) => ({
    onStep: (row) => killWhen(() => attempt === 0 && hook === 'onStep' && row.step === step),
    onSnapshot: (_, at) => killWhen(() => attempt === 0 && hook === 'onSnapshot' && at === step),
    onCheckpoint: (_, at) => killWhen(() => attempt === 0 && hook === 'onCheckpoint' && at === step),
  }));
  expect(ending.attempts).toBe(2);
  expect(ending.rows).toEqual((await reference('full')).rows);
  expect(ending.files).toEqual((await reference('full')).files);
});

test.each([0, 7, 17])('paused at the %i-th micro-batch and resumed, the bytes are the same', async (moment) => {
  const ending = await throughKills(await specFor('full'), (attempt) => {
    let asked = 0;
    return { shouldStop: () => (attempt === 0 && asked++ >= moment ? 'pause' : 'continue') };
  });
  expect(ending.rows).toEqual((await reference('full')).rows);
  expect(ending.files).toEqual((await reference('full')).files);
});

const damages: [string, (snapshot: string) => Promise<void>][] = [
  ['without its manifest', (snapshot) => rm(join(snapshot, 'manifest.json'))],
  ['with half a manifest', (snapshot) => truncate(join(snapshot, 'manifest.json'), 100)],
  ['without its moments', (snapshot) => rm(join(snapshot, 'moments.safetensors'))],
  ['with half its weights', (snapshot) => truncate(join(snapshot, 'weights.safetensors'), 1000)],
  [
    'with one wrong byte',
    async (snapshot) => {
      const path = join(snapshot, 'moments.safetensors');
      const bytes = await readFile(path);
      bytes[bytes.length - 5]! ^= 1;
      await writeFile(path, bytes);
    },
  ],
];

test.each(damages)('a snapshot %s is passed over for the one before it', async (_name, damage) => {
  const spec = await specFor('full');
  const resumed: string[] = [];
  let damaged = '';
  const ending = await throughKills(
    spec,
    (attempt) => ({
      onStep: (row) => killWhen(() => attempt === 0 && row.step === 7),
      onPhase: (text) => resumed.push(text),
    }),
    async (folder) => {
      damaged = join(folder, 'snapshots', '6');
      await damage(damaged);
    },
  );
  expect(resumed).toContain('resumed at step 4');
  expect(ending.rows).toEqual((await reference('full')).rows);
  expect(ending.files).toEqual((await reference('full')).files);
});

test('with no whole snapshot a resume is refused; latestSnapshot finds none', async () => {
  const spec = await specFor('full');
  const pausing = recording({ shouldStop: () => 'pause' });
  const paused = await train(spec, ROWS, null, null, pausing);
  expect(paused.outcome).toBe('paused');
  await rm(join(paused.folder, 'weights.safetensors'));
  await expect(train(spec, ROWS, null, paused.folder, recording())).rejects.toMatchObject({ code: 'torn_snapshot' });
  expect(await latestSnapshot(join(spec.folder, 'snapshots'))).toBeNull();
});

test('a resume on another number of threads is announced, and close', async () => {
  const spec = await specFor('full');
  let steps = 0;
  const first = recording({ onStep: () => steps++, shouldStop: () => (steps === 4 ? 'pause' : 'continue') });
  const { folder } = await train(spec, ROWS, VALIDATION, null, first);
  const said: string[] = [];
  const hooks = recording({ onPhase: (text) => said.push(text) });
  await train({ ...spec, threads: 2 }, ROWS, VALIDATION, folder, hooks);
  expect(said).toContain('resumed at step 4 on another engine: close, not the same bytes');
  const whole = (await reference('full')).rows;
  expect(hooks.rows.map(({ step }) => step)).toEqual([5, 6, 7, 8, 9]);
  for (const row of hooks.rows) expect(relative(row.train_loss, whole[row.step - 1]!.train_loss)).toBeLessThan(1e-5);
});

test('a snapshot of other settings is refused', async () => {
  const spec = await specFor('full');
  const paused = await train(spec, ROWS, null, null, recording({ shouldStop: () => 'pause' }));
  await expect(train({ ...spec, seed: 6 }, ROWS, null, paused.folder, recording())).rejects.toMatchObject({ code: 'snapshot_mismatch' });
});

test('old snapshots go; a checkpoint an epoch stays', async () => {
  const spec = await specFor('full');
  const hooks = recording();
  await train(spec, ROWS, null, null, hooks);
  expect((await readdir(join(spec.folder, 'snapshots'))).sort()).toEqual(['6', '8']);
  expect((await readdir(join(spec.folder, 'checkpoints'))).sort()).toEqual(['3', '6', '9']);
  expect(hooks.checkpoints).toHaveLength(3);
  expect((await readdir(spec.folder)).sort()).toEqual(['checkpoints', 'result', 'snapshots']);
});
