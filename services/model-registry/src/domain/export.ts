import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError, type BasePrecision, isAdapterFile } from '@tunefleet/contracts';
import { openMergedFolder, safetensorsLayout } from '@tunefleet/model-formats';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Store } from '../store/records.js';
import type { StoredFile } from '../store/schemas.js';
import { throughInt4 } from './four-bit.js';
import { find, folderOf } from './resolve.js';
import { type TarFile, tarOf } from './tar.js';

export const EXPORT_FORMATS = ['peft', 'merged', 'gguf', 'onnx'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

const refuse = (code: 'invalid_value' | 'not_supported', message: string): ApiError => new ApiError(code, message, { param: 'format' });

/** Of a base's files, those that go with an adapter: a PEFT folder has no config of the model. */
const TOKENIZER = /^(tokenizer|special_tokens_map|added_tokens|chat_template)/;
const WEIGHTS = /\.(safetensors|safetensors\.index\.json)$/;

/**
 * A model as a tar stream. `peft`: the adapter's folder with the tokenizer's files. `merged`: a Hugging Face folder that needs no adapter; under an
 * adapter its weights are computed while the stream is read, in float32; where the adapter learned over 4-bit blocks, over those. Errors: 404 `model_not_found`; 400 with param `format`.
 */
export async function exportModel(
  store: Store,
  objects: ObjectStore,
  project: string,
  model: string,
  format: ExportFormat,
): Promise<Readable> {
  const { base, version } = await find(store, project, model);
  if (format === 'gguf' || format === 'onnx')
    throw refuse('not_supported', `Export as ${format} is known but not built yet; ask for peft or merged.`);
  const folder = await folderOf(store, base, version);
  const modified = new Date((version ?? base).created_at * 1000);
  const stored = (file: StoredFile): TarFile => ({ path: file.path, bytes: file.bytes, read: () => read(objects, file) });
  const own = version?.manifest.adapter.type === 'lora' ? version.manifest.files : null;
  const adapter = version ? own : (base.adapter?.files ?? null);
  if (format === 'peft') {
    if (!adapter)
      throw refuse(
        'invalid_value',
        `'${model}' is ${version ? 'tuned in full' : 'a base'} and has no adapter; ask for format=merged, which is the model itself.`,
      );
    const tokenizer = folder.filter((file) => TOKENIZER.test(file.path) && !adapter.some(({ path }) => path === file.path));
    return tarOf(inOrder([...adapter, ...tokenizer].map(stored)), modified, async () => undefined);
  }
  if (!adapter) return tarOf(inOrder(folder.map(stored)), modified, async () => undefined);
  return merged(objects, folder, adapter, version?.manifest.base_precision ?? 'float32', modified);
}

const inOrder = (files: TarFile[]): TarFile[] => files.toSorted((a, b) => (a.path < b.path ? -1 : 1));

async function* read(objects: ObjectStore, { key }: StoredFile): AsyncGenerator<Uint8Array> {
  yield* await objects.get(key);
}

/** Base and adapter lie in a folder below TMPDIR while the stream is read; of their weights one tensor at a time is in memory. */
async function merged(
  objects: ObjectStore,
  base: StoredFile[],
  adapter: StoredFile[],
  precision: BasePrecision,
  modified: Date,
): Promise<Readable> {
  const home = await mkdtemp(join(tmpdir(), 'tunefleet-export-'));
  const remove = (): Promise<void> => rm(home, { recursive: true, force: true });
  try {
    const below = await fetched(objects, base, join(home, 'base'));
    const above = await fetched(objects, adapter, join(home, 'adapter'));
    const model = await openMergedFolder(below, above, precision === 'int4' ? throughInt4 : undefined);
    const { start, order } = safetensorsLayout(model.tensors, { format: 'pt' });
    const json = Buffer.from(`${JSON.stringify(model.config, null, 2)}\n`);
    const files: TarFile[] = [
      { path: 'config.json', bytes: json.length, read: () => bytes(json) },
      {
        path: 'model.safetensors',
        bytes: order.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), start.length),
        async *read() {
          yield start;
          for (const tensor of order) yield* tensor.blocks();
        },
      },
      ...[...adapter, ...base.filter(({ path }) => !adapter.some((own) => own.path === path))]
        .filter(({ path }) => path !== 'config.json' && !isAdapterFile(path) && !WEIGHTS.test(path))
        .map((file): TarFile => ({ path: file.path, bytes: file.bytes, read: () => read(objects, file) })),
    ];
    return tarOf(inOrder(files), modified, async () => {
      await model.close();
      await remove();
    });
  } catch (error) {
    await remove();
    throw error;
  }
}

async function fetched(objects: ObjectStore, files: readonly StoredFile[], folder: string): Promise<string> {
  await mkdir(folder);
  for (const file of files) await pipeline(await objects.get(file.key), createWriteStream(join(folder, file.path)));
  return folder;
}

async function* bytes(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
