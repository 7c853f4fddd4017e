// BERT (Devlin et al., arXiv 1810.04805): post-norm blocks of attention in both directions and of a GELU layer; learned positions.

import type { BertConfig } from '@tunefleet/model-formats';
import { add, gather, gelu, layerNorm, slice, tanh, type Value } from '@tunefleet/tensor';

/** What a forward pass gets from its surroundings: weights, adapters, how tokens meet each other, what is dropped. */
export interface BertParts {
  /** a tensor by its name in the Hugging Face layout */
  weight(name: string): Value;
  /** x W^T + bias of the named module and what adapters add: [tokens, in] -> [tokens, out] */
  linear(module: string, x: Value): Value;
  /** the same of modules that read one x */
  linears(modules: readonly string[], x: Value): Value[];
  /** rows of an embedding table [rows, hidden] by ids [tokens] */
  embed(table: string, ids: Value): Value;
  /** dropout at a named site, or x itself */
  dropout(site: string, probability: number, x: Value): Value;
  /** q, k, v [tokens, hidden] -> [tokens, hidden] */
  attention(layer: number, q: Value, k: Value, v: Value): Value;
  /** the same of wanted tokens only: q [wanted, hidden] -> [wanted, hidden] */
  attentionOfWanted(layer: number, q: Value, k: Value, v: Value): Value;
  /** place of each token in its example, [tokens] of i32 */
  positions: Value;
  /** the tokens whose hidden state is asked for, one of each example: the last layer computes no others */
  wanted(x: Value): Value;
}

/** ids [tokens] -> hidden states of the wanted tokens [wanted, hidden]. */
export function bert(config: BertConfig, parts: BertParts, ids: Value): Value {
  const { builder } = ids;
  let x = builder.scope('embeddings', () => embeddings(config, parts, ids));
  for (let layer = 0; layer < config.layers; layer++) {
    const last = layer === config.layers - 1;
    const module = `bert.encoder.layer.${layer}`;
    x = builder.scope(`layers.${layer}`, () => {
      const attended = builder.scope('attention', () => attentionBlock(config, parts, layer, x, last));
      return builder.scope('feed-forward', () => {
        const inner = gelu(parts.linear(`${module}.intermediate.dense`, attended));
        return residual(config, parts, `${module}.output`, attended, parts.linear(`${module}.output.dense`, inner));
      });
    });
  }
  return x;
}

/** What BERT's heads read: tanh of a linear of the first token's state. [wanted, hidden] -> [wanted, hidden]. */
export const bertPooler = ({ linear }: Pick<BertParts, 'linear'>, first: Value): Value =>
  first.builder.scope('pooler', () => tanh(linear('bert.pooler.dense', first)));

function embeddings(config: BertConfig, { embed, weight, dropout, positions }: BertParts, ids: Value): Value {
  const words = embed('bert.embeddings.word_embeddings.weight', ids);
  const places = gather(weight('bert.embeddings.position_embeddings.weight'), positions);
  // One text: every token is of the first type.
  const type = slice(weight('bert.embeddings.token_type_embeddings.weight'), 0, 0, 1);
  const sum = add(add(words, places), type);
  return dropout('bert.embeddings', config.hiddenDropout, norm(config, { weight }, 'bert.embeddings.LayerNorm', sum));
}

function attentionBlock(config: BertConfig, parts: BertParts, layer: number, x: Value, last: boolean): Value {
  const module = `bert.encoder.layer.${layer}.attention`;
  const kept = last ? parts.wanted(x) : x;
  const [query, key, value] = ['query', 'key', 'value'].map((name) => `${module}.self.${name}`) as [string, string, string];
  const [q, k, v] = last ? [parts.linear(query, kept), ...parts.linears([key, value], x)] : parts.linears([query, key, value], x);
  const attended = (last ? parts.attentionOfWanted : parts.attention)(layer, q!, k!, v!);
  return residual(config, parts, `${module}.output`, kept, parts.linear(`${module}.output.dense`, attended));
}

/** The norm after a block: of what went in and what came out of it. */
function residual(config: BertConfig, parts: BertParts, module: string, x: Value, y: Value): Value {
  return norm(config, parts, `${module}.LayerNorm`, add(x, parts.dropout(module, config.hiddenDropout, y)));
}

const norm = ({ normEpsilon }: BertConfig, { weight }: Pick<BertParts, 'weight'>, module: string, x: Value): Value =>
  layerNorm(x, weight(`${module}.weight`), weight(`${module}.bias`), normEpsilon);
