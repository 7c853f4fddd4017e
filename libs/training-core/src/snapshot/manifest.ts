import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { EngineIdentity } from '@tunefleet/tensor';
import type { LossScale } from '../optimizers/loss-scale.js';

export const SNAPSHOT_SCHEMA = 1;
const MANIFEST = 'manifest.json';

export interface SnapshotFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** What a snapshot says of itself. It is written after every file it names: a snapshot without it, or with other bytes, is torn. */
export interface SnapshotManifest {
  schema: number;
  /** optimizer steps done */
  step: number;
  /** epoch (from 0) and batch within it that come next */
  position: { epoch: number; batch: number };
  trained_tokens: number;
  /** steps just before this one that were given up; absent in snapshots from before that was possible */
  skipped_in_a_row?: number;
  /** of a run in float16 */
  loss_scale?: LossScale;
  /** counter-based: seed and step are its whole state */
  generator: { algorithm: 'philox4x32-10'; seed: number };
  optimizer: { type: 'adamw'; step: number };
  /** sha256 of all settings that decide the weights */
  settings: string;
  engine: EngineIdentity;
  files: SnapshotFile[];
}

/** No whole snapshot: the manifest is missing, or a file is not the one it names. */
export class TornSnapshotError extends Error {
  readonly code = 'torn_snapshot';
}

export async function describeFile(folder: string, name: string): Promise<SnapshotFile> {
  const path = join(folder, name);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return { name, bytes: (await stat(path)).size, sha256: hash.digest('hex') };
}

/** Written under another name, synced, then renamed: it is there whole or not at all. */
export async function writeManifest(folder: string, manifest: SnapshotManifest): Promise<void> {
  const partial = join(folder, `${MANIFEST}.partial`);
  const file = await open(partial, 'w');
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 1)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, join(folder, MANIFEST));
}

/** Reads the manifest and holds every file against it. Errors: {@link TornSnapshotError}; another schema. */
export async function readManifest(folder: string): Promise<SnapshotManifest> {
  const manifest = await parse(folder);
  if (manifest.schema !== SNAPSHOT_SCHEMA) throw new Error(`snapshot ${folder} has schema ${manifest.schema}, ${SNAPSHOT_SCHEMA} is read`);
  for (const expected of manifest.files) {
    const found = await describeFile(folder, expected.name).catch(() => null);
    if (found?.bytes !== expected.bytes || found.sha256 !== expected.sha256) {
      throw new TornSnapshotError(`snapshot ${folder} is torn: ${expected.name} is not the file its manifest names`);
    }
  }
  return manifest;
}

async function parse(folder: string): Promise<SnapshotManifest> {
  try {
    return JSON.parse(await readFile(join(folder, MANIFEST), 'utf8')) as SnapshotManifest;
  } catch (cause) {
    throw new TornSnapshotError(`snapshot ${folder} is torn: it has no readable manifest`, { cause });
  }
}
