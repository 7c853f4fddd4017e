import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJsonObject } from '../hugging-face/json-file.js';
import { labelsById, labelsJson } from '../hugging-face/labels.js';
import type { LoraAdapter } from './adapter-folder.js';

/**
 * A PEFT folder does not say what the classes of a classifier are called, and a `config.json` in it would make transformers look for a whole model there. Its
 * content is what `from_pretrained` takes as keywords beside the folder.
 */
const FILE = 'labels.json';

/** Writes the classes of a classifier's adapter, in order of its logits, beside it; a file that is there already is an error. */
export async function writeAdapterLabels(folder: string, labels: readonly string[]): Promise<void> {
  await writeFile(join(folder, FILE), `${JSON.stringify(labelsJson(labels), null, 2)}\n`, { flag: 'wx' });
}

/** The classes that an adapter's folder names; null where it names none. Errors: `invalid_config`. */
export async function readAdapterLabels(folder: string): Promise<string[] | null> {
  const there = (await readdir(folder)).includes(FILE);
  return there ? labelsById((await readJsonObject(folder, FILE))['id2label']) : null;
}

/**
 * The classes of a classifier's adapter: those that its folder names, else those of its base where that has as many, else transformers' names of unnamed
 * classes.
 * @param own classes of the base, null where it is no classifier
 */
export async function adapterLabels(
  folder: string,
  { saved }: Pick<LoraAdapter, 'saved'>,
  own: readonly string[] | null,
): Promise<string[]> {
  const named = await readAdapterLabels(folder);
  if (named) return named;
  const classes = (saved.get('score.weight') ?? saved.get('classifier.weight'))?.shape[0] ?? own?.length ?? 0;
  return own?.length === classes ? [...own] : Array.from({ length: classes }, (_, id) => `LABEL_${id}`);
}
