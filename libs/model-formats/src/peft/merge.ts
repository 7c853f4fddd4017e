import { ModelFormatError } from '../errors.js';
import type { LlamaConfig } from '../hugging-face/llama-config.js';
import { llamaTensorShapes } from '../hugging-face/llama-tensors.js';
import type { TensorReader } from '../safetensors/reader.js';
import type { TensorShape } from '../safetensors/writer.js';
import type { LoraAdapter, LoraPair } from './adapter-folder.js';

/** A tensor of the merged model; `blocks` gives its bytes in order, computed as they are asked for. */
export interface MergedTensor extends TensorShape {
  dtype: 'F32';
  blocks(): AsyncGenerator<Uint8Array>;
}

export interface MergedModel {
  /** the base's, where the adapter does not change it */
  config: LlamaConfig;
  tensors: MergedTensor[];
}

/** Multiply-adds of one block: some milliseconds, after which others get their turn. */
const BLOCK_WORK = 4 * 1024 * 1024;

/**
 * A language model with an adapter merged into it. An embedding or head that the adapter holds whole is tied to nothing in the merged model.
 * Errors: those of {@link mergedTensors}.
 */
export function mergedModel(base: LlamaConfig, weights: TensorReader, adapter: LoraAdapter): MergedModel {
  const { saved } = adapter;
  const [embedding, head] = [saved.get('model.embed_tokens.weight'), saved.get('lm_head.weight')];
  const untied = embedding ?? head;
  const config = untied ? { ...base, tiedEmbeddings: false, vocabularySize: untied.shape[0]! } : base;
  const sourceOf = (name: string): string => (base.tiedEmbeddings && name === 'lm_head.weight' ? 'model.embed_tokens.weight' : name);
  return { config, tensors: mergedTensors(llamaTensorShapes(config), weights, adapter, sourceOf) };
}

/**
 * The tensors of a model with an adapter merged into them, W + scaling B A summed in float64 and rounded once; one tensor of the base is in memory at
 * a time.
 * @param shapes of the merged model
 * @param sourceOf the base's name of a tensor
 * Errors: `invalid_shape`, `missing_tensor` where the adapter does not fit the base.
 */
export function mergedTensors(
  shapes: ReadonlyMap<string, readonly number[]>,
  weights: TensorReader,
  { pairs, saved }: Pick<LoraAdapter, 'pairs' | 'saved'>,
  sourceOf = (name: string): string => name,
): MergedTensor[] {
  const modules = new Map([...pairs].map(([module, pair]) => [`${module}.weight`, pair]));
  for (const [name, { outputs, inputs }] of modules) checkShape(name, [outputs, inputs], shapes.get(name));
  for (const [name, { shape }] of saved) checkShape(name, shape, shapes.get(name));
  return [...shapes].map(([name, shape]): MergedTensor => {
    const whole = saved.get(name);
    const pair = modules.get(name);
    const source = sourceOf(name);
    if (!whole) checkShape(name, weights.info(source).shape, shape);
    return {
      name,
      dtype: 'F32',
      shape,
      async *blocks() {
        if (whole) yield bytesOf(whole.values);
        else if (pair) yield* mergedRows(await weights.float32(source), pair);
        else yield bytesOf(await weights.float32(source));
      },
    };
  });
}

/** Rows of W + scaling B A, in blocks, in the place of W's. */
async function* mergedRows(weight: Float32Array, { inputs, outputs, rank, scaling, a, b }: LoraPair): AsyncGenerator<Uint8Array> {
  const rowsAtOnce = Math.max(1, Math.floor(BLOCK_WORK / (inputs * rank)));
  const sum = new Float64Array(inputs);
  for (let start = 0; start < outputs; start += rowsAtOnce) {
    const end = Math.min(outputs, start + rowsAtOnce);
    for (let row = start; row < end; row++) {
      sum.fill(0);
      for (let k = 0; k < rank; k++) {
        const factor = scaling * b[row * rank + k]!;
        for (let i = 0; i < inputs; i++) sum[i]! += factor * a[k * inputs + i]!;
      }
      for (let i = 0; i < inputs; i++) weight[row * inputs + i]! += sum[i]!;
    }
    yield bytesOf(weight.subarray(start * inputs, end * inputs));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const bytesOf = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

function checkShape(name: string, found: readonly number[], expected: readonly number[] | undefined): void {
  if (expected?.join() === found.join()) return;
  const wanted = expected ? `[${expected.join(', ')}]` : 'no tensor of that name';
  throw new ModelFormatError(
    'invalid_shape',
    `\`${name}\` is [${found.join(', ')}] in the adapter or its base; the merged model has ${wanted}`,
  );
}
