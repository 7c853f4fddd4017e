// Llama (Touvron et al., "LLaMA" and "Llama 2"): pre-norm blocks of grouped-query attention with rotary positions and of SwiGLU.

import type { LlamaConfig } from '@tunefleet/model-formats';
import { add, gather, matmul, mul, reshape, rmsNorm, rope, silu, type Value } from '@tunefleet/tensor';

/** What a forward pass gets from its surroundings: weights, adapters, how tokens meet each other. */
export interface LlamaParts {
  /** a tensor by its name in the Hugging Face layout */
  weight(name: string): Value;
  /** x W^T of the named module and what adapters add: [tokens, in] -> [tokens, out] */
  linear(module: string, x: Value): Value;
  /** the same of modules that read one x */
  linears(modules: readonly string[], x: Value): Value[];
  /** q [tokens, heads, headSize], k and v [tokens, keyValueHeads, headSize] -> [tokens, heads * headSize] */
  attention(layer: number, q: Value, k: Value, v: Value): Value;
  /** rotary tables at each token's position, [tokens, headSize / 2] */
  cos: Value;
  sin: Value;
  /** the tokens whose hidden state is asked for: the last layer computes no others after its attention */
  wanted(x: Value): Value;
}

/** ids [tokens] -> normed hidden states of the wanted tokens [wanted, hidden]. */
export function llama(config: LlamaConfig, parts: LlamaParts, ids: Value): Value {
  const { builder } = ids;
  let x = builder.scope('embedding', () => gather(parts.weight('model.embed_tokens.weight'), ids));
  for (let layer = 0; layer < config.layers; layer++) {
    const module = `model.layers.${layer}`;
    const last = layer === config.layers - 1;
    const keep = last ? parts.wanted : (value: Value) => value;
    x = builder.scope(`layers.${layer}`, () => {
      const attended = builder.scope('attention', () =>
        attentionBlock(config, parts, layer, norm(config, parts, `${module}.input_layernorm`, x), keep),
      );
      const h = add(keep(x), attended);
      return add(
        h,
        builder.scope('mlp', () => swiglu(parts, `${module}.mlp`, norm(config, parts, `${module}.post_attention_layernorm`, h))),
      );
    });
  }
  return builder.scope('norm', () => norm(config, parts, 'model.norm', x));
}

/** Logits over the vocabulary: [wanted, hidden] -> [wanted, vocabulary]. */
export function llamaHead(config: LlamaConfig, parts: Pick<LlamaParts, 'weight'>, hidden: Value): Value {
  return hidden.builder.scope('head', () => matmul(hidden, llamaHeadWeight(config, parts), { transB: true }));
}

/** [vocabulary, hidden] */
export function llamaHeadWeight({ tiedEmbeddings }: LlamaConfig, { weight }: Pick<LlamaParts, 'weight'>): Value {
  return weight(tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight');
}

function norm({ normEpsilon }: LlamaConfig, { weight }: LlamaParts, module: string, x: Value): Value {
  return rmsNorm(x, weight(`${module}.weight`), normEpsilon);
}

function attentionBlock(config: LlamaConfig, parts: LlamaParts, layer: number, x: Value, keep: (value: Value) => Value): Value {
  const module = `model.layers.${layer}.self_attn`;
  const projected = parts.linears(
    ['q_proj', 'k_proj', 'v_proj'].map((name) => `${module}.${name}`),
    x,
  );
  const heads = [config.heads, config.keyValueHeads, config.keyValueHeads];
  const [q, k, v] = projected.map((value, place) => reshape(value, [-1, heads[place]!, config.headSize]));
  const turn = (value: Value): Value => rope(value, parts.cos, parts.sin);
  return parts.linear(`${module}.o_proj`, keep(parts.attention(layer, turn(q!), turn(k!), v!)));
}

/** Shazeer, "GLU variants improve transformer". */
function swiglu({ linear, linears }: LlamaParts, module: string, x: Value): Value {
  const [gate, up] = linears([`${module}.gate_proj`, `${module}.up_proj`], x);
  return linear(`${module}.down_proj`, mul(silu(gate!), up!));
}
