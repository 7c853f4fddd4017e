import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiError, isAdapterFile } from '@tunefleet/contracts';
import type { Claim, Outcome, WorkContext } from '@tunefleet/jobs';
import type { BaseRecord, ImportRecord, ImportResult, StoredFile } from '../../store/schemas.js';
import type { Described } from '../describe-folder.js';
import { convert } from './convert.js';
import { type FetchParts, fetchSource, fetchStored } from './fetch.js';

export type ImportSpec = Pick<ImportRecord, 'request' | 'source'> & {
  /** The base that an adapter is put over; null for a whole model. */
  base: (Pick<BaseRecord, 'name' | 'files'> & { described: Described }) | null;
};

export const objectPrefix = ({ project, request }: Pick<ImportRecord, 'project' | 'request'>): string => `${project}/models/${request}/`;

/** One attempt: fetch, convert and check, store. Each attempt stores the same bytes under the same keys, so that one begun anew loses nothing. */
export async function workOnImport(
  parts: FetchParts & { scratch: string },
  { project, ...claim }: Claim,
  context: WorkContext,
): Promise<Outcome> {
  const { source, request, base } = claim.spec as ImportSpec;
  const folder = await mkdtemp(join(parts.scratch, 'import-'));
  const drained = new AbortController();
  context.onWish((wish) => wish === 'drain' && drained.abort());
  const signal = AbortSignal.any([context.signal, drained.signal]);
  try {
    const [input, output] = [join(folder, 'source'), join(folder, 'model')];
    await fetchSource(parts, project, source, { folder: input, adapter: base !== null, signal });
    const beneath = base === null ? null : join(folder, 'base');
    if (base !== null && beneath !== null) await fetchStored(parts.objects, base.files, beneath, signal);
    const under = base && beneath ? { folder: beneath, described: base.described } : null;
    const { described, files } = await convert({ input, base: under, output }, signal, (step) => context.step(step));
    const stored: StoredFile[] = [];
    for (const { file, path, bytes, sha256 } of files) {
      const key = objectPrefix({ project, request }) + path;
      await parts.objects.put(key, createReadStream(file), { signal });
      stored.push({ path, key, bytes, sha256 });
    }
    return { type: 'completed', result: { ...described, ...placed(stored, base) } satisfies ImportResult };
  } catch (error) {
    if (signal.aborted) return { type: 'drained' };
    const known = error instanceof ApiError ? error : new ApiError('internal_error', 'The import failed.', { cause: error });
    parts.bus.logger.warn({ err: error, id: claim.id }, 'an attempt at an import failed');
    return { type: 'failed', error: { code: known.code, message: known.message, param: known.param }, retry: known.status >= 500 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** An adapter is loaded over the files of its base, of which a tokenizer of its own takes the place. */
function placed(stored: StoredFile[], base: ImportSpec['base']): Pick<ImportResult, 'files' | 'adapter'> {
  if (!base) return { files: stored };
  const own = stored.filter(({ path }) => !isAdapterFile(path));
  const files = [...base.files.filter(({ path }) => !own.some((file) => file.path === path)), ...own];
  const adapter = { files: stored.filter(({ path }) => isAdapterFile(path)), over: base.name, over_sha256: base.described.weights_sha256 };
  return { files, adapter };
}
