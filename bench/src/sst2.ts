import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TextTokenizer } from '@tunefleet/tokenization';
import { modelPackage } from '../../tools/model-packages.mjs';
import { DataAbsentError } from './benchmark.js';

/** SST-2 as both sides read it: token ids and classes, and the settings of the run. */
export interface Sst2Work {
  ids: number[][];
  labels: number[];
  names: string[];
  batch: number;
  rate: number;
}

const SHARED = process.env['TUNEFLEET_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url));

/** The folder of all-MiniLM-L6-v2. Errors: {@link DataAbsentError}. */
export function miniLmFolder(): string {
  const { path, missing } = modelPackage('miniLm');
  if (path === undefined) throw new DataAbsentError(missing);
  return path;
}

/** Writes the first `rows` rows of SST-2's training part, tokenized for `base`, to `<folder>/work.json`. Errors: {@link DataAbsentError}. */
export async function writeSst2<Settings extends { batch: number; rate: number }>(
  folder: string,
  base: string,
  rows: number,
  settings: Settings,
): Promise<string> {
  const file = join(SHARED, 'data/sst2/train.tsv');
  if (!existsSync(file)) throw new DataAbsentError(`no ${file}: set TUNEFLEET_SHARED to the folder that holds data/sst2`);
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean).slice(0, rows);
  const cells = lines.map((line) => line.split('\t') as [text: string, label: string]);
  const tokenizer = await TextTokenizer.load(base);
  const encoded = await tokenizer.encodeBatch(
    cells.map(([text]) => text),
    { addSpecialTokens: true },
  );
  const work: Sst2Work & Settings = {
    ...settings,
    ids: encoded.map(({ ids }) => [...ids]),
    labels: cells.map(([, label]) => Number(label)),
    names: ['negative', 'positive'],
  };
  const path = join(folder, 'work.json');
  writeFileSync(path, JSON.stringify(work));
  return path;
}
