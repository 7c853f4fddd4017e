import { ModelFormatError } from '../errors.js';
import type { LlamaConfig } from '../hugging-face/llama-config.js';
import { llamaTensorShapes } from '../hugging-face/llama-tensors.js';
import type { GgufFile } from './file.js';
import { ggufLlamaConfig } from './llama-config.js';

/** A LlamaForCausalLM under the names and in the layout of Hugging Face, its tensors dequantized when they are asked for. */
export interface GgufLlama {
  config: LlamaConfig;
  /** Name -> shape, row-major. */
  shapes: ReadonlyMap<string, readonly number[]>;
  float32(name: string): Promise<Float32Array>;
}

/**
 * The model in a GGUF file of architecture `llama`. Errors: those of the config; `missing_tensor`, `unknown_tensor`, `invalid_shape` where
 * the tensors do not fit it; `not_supported` for the factors of scaled rotary positions, biases and experts.
 */
export function ggufLlama(file: GgufFile): GgufLlama {
  const config = ggufLlamaConfig(file);
  const shapes = llamaTensorShapes(config);
  const sources = new Map([...shapes.keys()].map((name) => [name, ggufName(name)]));
  for (const [name, source] of sources) {
    const { shape } = file.info(source);
    const expected = shapes.get(name)!;
    if (shape.join() !== expected.join()) {
      throw new ModelFormatError(
        'invalid_shape',
        `tensor \`${source}\` is [${shape.join(', ')}]; by the metadata it is [${expected.join(', ')}]`,
      );
    }
  }
  refuseOthers(file, new Set(sources.values()));
  return {
    config,
    shapes,
    async float32(name) {
      const values = await file.float32(sources.get(name) ?? name);
      return /\.[qk]_proj\.weight$/.test(name) ? halvesApart(values, config.headSize, config.hiddenSize) : values;
    },
  };
}

const MODEL_NAMES: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

const LAYER_NAMES: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

/** ggml's name of a tensor of a Llama: `model.layers.3.mlp.up_proj.weight` -> `blk.3.ffn_up.weight`. */
export function ggufName(name: string): string {
  const [, layer, part] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name) ?? [];
  return part === undefined ? MODEL_NAMES[name]! : `blk.${layer}.${LAYER_NAMES[part]!}.weight`;
}

const NOT_READ = [
  [/^rope_(freqs|factors)/, 'scaled rotary positions are not supported'],
  [/\.bias$/, 'biases are not supported'],
  [/_(exps|shexp|gate_inp)\./, 'mixtures of experts are not supported'],
] as const;

/** Tensors that are there and are not read change what the model computes. */
function refuseOthers(file: GgufFile, read: ReadonlySet<string>): void {
  for (const name of file.names) {
    if (read.has(name)) continue;
    const reason = NOT_READ.find(([pattern]) => pattern.test(name))?.[1];
    if (reason) throw new ModelFormatError('not_supported', `tensor \`${name}\`: ${reason}`);
    throw new ModelFormatError('unknown_tensor', `tensor \`${name}\` has no place in a model of architecture llama`);
  }
}

/**
 * llama.cpp rotates neighbouring values of a head (0 with 1, 2 with 3), Hugging Face the first half with the second, so its converter interleaves
 * the rows of the query and key projections. This puts them back: row 2i + c of a head becomes row c * half + i. `values`: [heads * headSize, inputs].
 */
function halvesApart(values: Float32Array, headSize: number, inputs: number): Float32Array {
  const out = new Float32Array(values.length);
  const half = headSize / 2;
  for (let row = 0; row < values.length / inputs; row++) {
    const within = row % headSize;
    const target = row - within + (within & 1) * half + (within >> 1);
    out.set(values.subarray(row * inputs, (row + 1) * inputs), target * inputs);
  }
  return out;
}
