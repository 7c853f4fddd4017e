import { readdir, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { randomStream } from '@tunefleet/models';
import { killWhen, reference, specFor, throughKills } from './kills.js';

// Each case trains several times; other suites share the cores.
jest.setTimeout(60_000);

/** In the order in which a snapshot is written; the manifest under its other name until it is whole. */
const WRITTEN = ['weights.safetensors', 'moments.safetensors', 'manifest.json.partial'];

/** What a kill while the snapshot was written would have left: this share of its bytes, in the order of writing. */
async function rewind(snapshot: string, share: number): Promise<void> {
  await rename(join(snapshot, 'manifest.json'), join(snapshot, 'manifest.json.partial'));
  const sizes = await Promise.all(WRITTEN.map(async (name) => (await stat(join(snapshot, name))).size));
  let left = Math.floor(share * sizes.reduce((a, b) => a + b, 0));
  for (const [place, name] of WRITTEN.entries()) {
    const file = join(snapshot, name);
    if (left === 0) await rm(file);
    else await truncate(file, Math.min(left, sizes[place]!));
    left -= Math.min(left, sizes[place]!);
  }
}

type Kill =
  | { at: 'microBatch'; moment: number }
  | { at: 'step' | 'checkpoint' | 'snapshot'; step: number }
  | { at: 'writing'; step: number; share: number };

/** A kill somewhere in a run of 9 steps: a run asks 6 times an epoch, has a checkpoint at steps 3, 6, 9 and a snapshot at 2, 4, 6, 8. */
function randomKill(random: ReturnType<typeof randomStream>): Kill {
  const kinds = ['microBatch', 'step', 'checkpoint', 'snapshot', 'writing', 'writing'] as const;
  const at = kinds[random.integer(kinds.length)]!;
  if (at === 'microBatch') return { at, moment: random.integer(18) };
  if (at === 'step') return { at, step: 1 + random.integer(9) };
  if (at === 'checkpoint') return { at, step: 3 * (1 + random.integer(3)) };
  const step = 2 * (1 + random.integer(4));
  return at === 'writing' ? { at, step, share: random.uniform() } : { at, step };
}

test.each([1, 2, 3, 4, 5, 6])('through any kills (seed %i) a run ends in the rows and bytes of one that ran through', async (seed) => {
  const random = randomStream(seed, 'shuffle', 0);
  const kills = Array.from({ length: 3 }, () => randomKill(random));
  const adapter = seed % 2 === 0 ? 'lora' : 'full';
  const spec = await specFor(adapter);
  const whole = await reference(adapter);
  let torn: string | null = null;
  const ending = await throughKills(
    spec,
    (attempt) => {
      const kill = kills[attempt];
      let asked = 0;
      return {
        shouldStop() {
          killWhen(() => kill?.at === 'microBatch' && asked++ === kill.moment);
          return 'continue';
        },
        onStep: ({ step }) => killWhen(() => kill?.at === 'step' && step === kill.step),
        onCheckpoint: (_, step) => killWhen(() => kill?.at === 'checkpoint' && step === kill.step),
        onSnapshot(folder, step) {
          if (kill?.at === 'writing' && step === kill.step) torn = folder;
          killWhen(() => (kill?.at === 'snapshot' || kill?.at === 'writing') && step === kill.step);
        },
      };
    },
    async () => {
      const kill = kills.find((one) => one.at === 'writing' && torn?.endsWith(`/${one.step}`));
      if (torn && kill?.at === 'writing') await rewind(torn, kill.share);
      torn = null;
    },
  );
  expect(ending.rows).toEqual(whole.rows);
  expect(ending.files).toEqual(whole.files);
  for (const name of await readdir(join(spec.folder, 'snapshots'))) {
    expect(JSON.parse(await readFile(join(spec.folder, 'snapshots', name, 'manifest.json'), 'utf8'))).toMatchObject({ step: Number(name) });
  }
});
