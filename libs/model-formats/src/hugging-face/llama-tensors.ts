import type { TensorReader } from '../safetensors/reader.js';
import { checkTensors } from './check-tensors.js';
import type { LlamaConfig } from './llama-config.js';

/** Names and shapes of a LlamaForCausalLM's tensors. `lm_head.weight` is absent where the embeddings are tied. Weights of linears are [out, in]. */
export function llamaTensorShapes(config: LlamaConfig): Map<string, readonly number[]> {
  const { hiddenSize: hidden, intermediateSize: inner, headSize } = config;
  const queries = config.heads * headSize;
  const keys = config.keyValueHeads * headSize;
  const shapes = new Map<string, readonly number[]>([['model.embed_tokens.weight', [config.vocabularySize, hidden]]]);
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}`;
    shapes.set(`${prefix}.input_layernorm.weight`, [hidden]);
    shapes.set(`${prefix}.self_attn.q_proj.weight`, [queries, hidden]);
    shapes.set(`${prefix}.self_attn.k_proj.weight`, [keys, hidden]);
    shapes.set(`${prefix}.self_attn.v_proj.weight`, [keys, hidden]);
    shapes.set(`${prefix}.self_attn.o_proj.weight`, [hidden, queries]);
    shapes.set(`${prefix}.post_attention_layernorm.weight`, [hidden]);
    shapes.set(`${prefix}.mlp.gate_proj.weight`, [inner, hidden]);
    shapes.set(`${prefix}.mlp.up_proj.weight`, [inner, hidden]);
    shapes.set(`${prefix}.mlp.down_proj.weight`, [hidden, inner]);
  }
  shapes.set('model.norm.weight', [hidden]);
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [config.vocabularySize, hidden]);
  return shapes;
}

/** Buffers that older checkpoints carry and nothing reads. */
export const LLAMA_IGNORED = /\.rotary_emb\.inv_freq$/;

/** Holds the tensors of a folder against its config; a tied head that was saved all the same is passed over. Errors: those of {@link checkTensors}. */
export function checkLlamaTensors(config: LlamaConfig, reader: TensorReader): void {
  const tied = (name: string): boolean => config.tiedEmbeddings && name === 'lm_head.weight';
  checkTensors(llamaTensorShapes(config), reader, (name) => tied(name) || LLAMA_IGNORED.test(name));
}
