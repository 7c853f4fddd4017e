import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { train } from '../src/loop/train.js';
import { latestSnapshot } from '../src/snapshot/snapshot.js';
import type { MetricsRow, TrainingHooks, TrainingSpec } from '../src/spec.js';
import { expected, recording, rowsOf, specOf } from './fixture.js';

// 3 epochs of 14 rows in batches of 6 as micro-batches of 4: 9 steps, each epoch's last batch smaller, each batch with a smaller micro-batch.
export const ROWS = rowsOf(expected.rows.slice(0, 14));
export const VALIDATION = rowsOf(expected.rows.slice(14, 20));
export const STEPS = 9;

const settings = {
  epochs: 3,
  batch_size: 6,
  micro_batch_size: 4,
  max_steps: null,
  shuffle: true,
  seed: 5,
  snapshot: { every_steps: 2, keep: 2 },
};

export const specFor = async (adapter: 'full' | 'lora'): Promise<TrainingSpec> => {
  const spec = await specOf('tiny-llama', adapter, settings);
  if (spec.adapter.type === 'lora') spec.adapter.dropout = 0.2;
  return spec;
};

export interface Ending {
  files: Record<string, string>;
  rows: MetricsRow[];
}

async function bytesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = names.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name);
    return [path.slice(folder.length + 1), (await readFile(path)).toString('base64')] as const;
  });
  return Object.fromEntries((await Promise.all(files)).sort());
}

export class Killed extends Error {}

/**
 * Trains until the end through any number of ends by force. `hooks` is asked for each attempt; an attempt that throws {@link Killed} is one that a
 * kill ended there. `between` may damage what the attempt left.
 */
export async function throughKills(
  spec: TrainingSpec,
  hooks: (attempt: number) => Partial<TrainingHooks>,
  between: (folder: string) => Promise<void> = () => Promise.resolve(),
): Promise<Ending & { attempts: number }> {
  const rows = new Map<number, MetricsRow>();
  const note = (row: MetricsRow): void => {
    const before = rows.get(row.step);
    if (before) expect(row).toEqual(before);
    rows.set(row.step, row);
  };
  for (let attempt = 0; ; attempt++) {
    const newest = (await readdir(join(spec.folder, 'snapshots')).catch(() => [])).map(Number).sort((a, b) => b - a)[0];
    // As the training process does: from the beginning where none is whole.
    const whole = await latestSnapshot(join(spec.folder, 'snapshots'));
    const resume = whole && join(spec.folder, 'snapshots', String(newest));
    const given = hooks(attempt);
    const all = recording({
      ...given,
      onStep(row) {
        note(row);
        given.onStep?.(row);
      },
    });
    try {
      const { outcome, folder } = await train(spec, ROWS, VALIDATION, resume, all);
      if (outcome === 'finished')
        return { files: await bytesOf(folder), rows: [...rows.values()].sort((a, b) => a.step - b.step), attempts: attempt + 1 };
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
    await between(spec.folder);
  }
}

const references = new Map<string, Promise<Ending>>();
export const reference = (adapter: 'full' | 'lora'): Promise<Ending> => {
  const known = references.get(adapter) ?? specFor(adapter).then((spec) => throughKills(spec, () => ({})));
  references.set(adapter, known);
  return known;
};

export const killWhen = (condition: () => boolean): void => {
  if (condition()) throw new Killed();
};
