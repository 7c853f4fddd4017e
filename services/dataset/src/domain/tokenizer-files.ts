import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectLink } from '@tunefleet/contracts';
import { download } from '@tunefleet/object-store';

const NAMES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'chat_template.jinja', 'config.json'];

const tokenizerFiles = (files: readonly ObjectLink[]): ObjectLink[] =>
  files.filter(({ path }) => NAMES.includes(path)).sort((a, b) => (a.path < b.path ? -1 : 1));

/** Stands for everything that decides about tokens and template. */
export const tokenizerHash = (files: readonly ObjectLink[]): string =>
  createHash('sha256')
    .update(JSON.stringify(tokenizerFiles(files).map(({ path, sha256 }) => [path, sha256])))
    .digest('hex');

/** A local folder with a model's tokenizer, kept under its hash. */
export async function fetchTokenizer(files: readonly ObjectLink[], cache: string, signal: AbortSignal): Promise<string> {
  const folder = join(cache, tokenizerHash(files));
  if (await stat(folder).catch(() => null)) return folder;
  const draft = `${folder}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(draft, { recursive: true });
    for (const file of tokenizerFiles(files)) await download(file, join(draft, file.path), { signal });
    await rename(draft, folder).catch(async (error: unknown) => {
      if (!(await stat(folder).catch(() => null))) throw error; // another was quicker
    });
    return folder;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
