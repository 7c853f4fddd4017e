import { mkdir, readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openSafetensors, writeSafetensors } from '@tunefleet/model-formats';
import type { AdamWState } from '../optimizers/adamw.js';
import { type FlatLayout, tensorsOf, viewOf } from '../parameters.js';
import { describeFile, readManifest, type SnapshotManifest, TornSnapshotError, writeManifest } from './manifest.js';

const WEIGHTS = 'weights.safetensors';
const MOMENTS = 'moments.safetensors';
const FIRST = 'first.';
const SECOND = 'second.';

/** Everything a run carries from one optimizer step to the next, beside its settings. */
export interface SnapshotState {
  layout: FlatLayout;
  parameters: Float32Array;
  moments: AdamWState;
}

/** Writes `<parent>/<step>/`: weights, moments, and the manifest last. What an earlier, killed attempt left there is removed first. */
export async function writeSnapshot(parent: string, state: SnapshotState, manifest: Omit<SnapshotManifest, 'files'>): Promise<string> {
  const folder = join(parent, String(manifest.step));
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { layout, parameters, moments } = state;
  await writeSafetensors(join(folder, WEIGHTS), tensorsOf(layout, parameters));
  await writeSafetensors(join(folder, MOMENTS), [...tensorsOf(layout, moments.first, FIRST), ...tensorsOf(layout, moments.second, SECOND)]);
  await writeManifest(folder, { ...manifest, files: [await describeFile(folder, WEIGHTS), await describeFile(folder, MOMENTS)] });
  return folder;
}

/** Fills the state from a snapshot whose manifest was verified by {@link findSnapshot}. */
export async function readSnapshot(
  folder: string,
  manifest: SnapshotManifest,
  { layout, parameters, moments }: SnapshotState,
): Promise<void> {
  await fill(join(folder, WEIGHTS), layout, [['', parameters]]);
  await fill(join(folder, MOMENTS), layout, [
    [FIRST, moments.first],
    [SECOND, moments.second],
  ]);
  moments.step = manifest.optimizer.step;
}

async function fill(path: string, layout: FlatLayout, targets: readonly (readonly [prefix: string, flat: Float32Array])[]): Promise<void> {
  const reader = await openSafetensors(path);
  try {
    for (const [prefix, flat] of targets) {
      for (const slot of layout.slots) viewOf(flat, slot).set(await reader.float32(prefix + slot.name));
    }
  } finally {
    await reader.close();
  }
}

/**
 * The snapshot to go on from: `folder` itself if it is whole, else the newest whole one beside it (folders named by step). Torn ones are
 * passed over.
 * Errors: {@link TornSnapshotError} where none is whole.
 */
export async function findSnapshot(folder: string): Promise<{ folder: string; manifest: SnapshotManifest }> {
  try {
    return { folder, manifest: await readManifest(folder) };
  } catch (error) {
    const step = Number(basename(folder));
    const earlier = error instanceof TornSnapshotError && Number.isInteger(step) ? await latestSnapshot(dirname(folder), step) : null;
    if (earlier) return earlier;
    throw error;
  }
}

/** The newest whole snapshot among `<parent>/<step>/` with a step below `before`, or null. */
export async function latestSnapshot(
  parent: string,
  before = Number.POSITIVE_INFINITY,
): Promise<{ folder: string; manifest: SnapshotManifest } | null> {
  for (const step of (await stepsIn(parent)).filter((found) => found < before)) {
    const folder = join(parent, String(step));
    try {
      return { folder, manifest: await readManifest(folder) };
    } catch (error) {
      if (!(error instanceof TornSnapshotError)) throw error;
    }
  }
  return null;
}

/** Keeps the newest `keep` snapshots up to step `newest`; later ones are what a run that was given up left, and go too. */
export async function pruneSnapshots(parent: string, newest: number, keep: number): Promise<void> {
  const steps = await stepsIn(parent);
  const kept = new Set(steps.filter((step) => step <= newest).slice(0, Math.max(1, keep)));
  for (const step of steps) if (!kept.has(step)) await rm(join(parent, String(step)), { recursive: true, force: true });
}

/** Steps that have a folder, newest first. */
async function stepsIn(parent: string): Promise<number[]> {
  const names = await readdir(parent).catch(() => []);
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => b - a);
}
