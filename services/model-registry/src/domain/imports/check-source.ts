import { ApiError, type CreateBaseModelBody, isAdapterFile, isGgufFile, isModelFile } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { keyOf } from './fetch.js';

/** Looks at what can be told of a source before it is read. Errors: `file_not_found`, `invalid_purpose`, `invalid_value`, `missing_required_parameter`, `not_supported`. */
export async function checkSource(bus: Bus, project: string, { source, base }: CreateBaseModelBody, bucket: string | null): Promise<void> {
  if (source.type === 'files') return checkFiles(bus, project, source.files, base);
  if (source.type === 's3') checkUri(project, source.uri, bucket);
}

async function checkFiles(
  bus: Bus,
  project: string,
  files: readonly { file_id: string; path: string }[],
  base: string | undefined,
): Promise<void> {
  const paths = new Set<string>();
  for (const [index, { path }] of files.entries()) {
    const param = `source.files[${index}].path`;
    if (/\.(bin|pt|pth|ckpt|pkl)$/.test(path)) {
      throw new ApiError('not_supported', `'${path}' is a Python pickle, reading of which can run code. Convert it to safetensors.`, {
        param,
      });
    }
    if (!isModelFile(path) && !isGgufFile(path) && !isAdapterFile(path)) {
      throw new ApiError(
        'invalid_value',
        `'${path}' is no file of a model: expected config.json, model.safetensors, tokenizer.json, ..., or one .gguf file.`,
        { param },
      );
    }
    if (paths.has(path)) throw new ApiError('invalid_value', `'${path}' is given twice.`, { param });
    paths.add(path);
  }
  if ([...paths].some(isGgufFile) && paths.size > 1) {
    throw new ApiError('invalid_value', 'A GGUF file is a whole model; give it alone.', { param: 'source.files' });
  }
  checkBase(paths, base);
  for (const [index, { file_id: id }] of files.entries()) await checkFile(bus, project, id, `source.files[${index}].file_id`);
}

/** An adapter has a base, a whole model none. */
function checkBase(paths: ReadonlySet<string>, base: string | undefined): void {
  const adapter = [...paths].some(isAdapterFile);
  if (adapter && base === undefined) {
    throw new ApiError('missing_required_parameter', "A PEFT adapter is loaded over its base: name that one as 'base'.", { param: 'base' });
  }
  if (!adapter && base !== undefined) {
    throw new ApiError('invalid_value', "'base' goes with a PEFT adapter (adapter_config.json, adapter_model.safetensors).", {
      param: 'base',
    });
  }
}

async function checkFile(bus: Bus, project: string, id: string, param: string): Promise<void> {
  const { purpose } = await bus.request('dataset.get_file', { project, id }).catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'file_not_found') throw new ApiError('file_not_found', error.message, { param });
    throw error;
  });
  if (purpose !== 'user_data') {
    throw new ApiError(
      'invalid_purpose',
      `File '${id}' has purpose '${purpose}'; files of a model are uploaded with purpose 'user_data'.`,
      { param },
    );
  }
}

/** Only what lies below the project's own name: other keys of the bucket belong to others. */
function checkUri(project: string, uri: string, bucket: string | null): void {
  const param = 'source.uri';
  if (bucket === null) {
    throw new ApiError(
      'not_supported',
      'This fleet keeps its objects in a folder, not in a bucket. Upload the files and import them by their ids.',
      { param },
    );
  }
  const { hostname, search, hash } = URL.canParse(uri) ? new URL(uri) : { hostname: null, search: '', hash: '' };
  const legal = hostname === bucket && search === '' && hash === '' && /^([A-Za-z0-9_=@+~-][A-Za-z0-9_.=@+~-]*\/)+$/.test(keyOf(uri));
  if (!legal || !keyOf(uri).startsWith(`${project}/`)) {
    throw new ApiError(
      'invalid_value',
      `Expected s3://${bucket}/${project}/..., a folder below this project's name in the fleet's own bucket.`,
      { param },
    );
  }
}
