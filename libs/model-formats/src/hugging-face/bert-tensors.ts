import type { BertConfig } from './bert-config.js';

const BACKBONE = 'bert.';

/** Names, in the layout of BertForSequenceClassification, and shapes of a BertModel's tensors without its pooler. Weights of linears are [out, in]. */
export function bertTensorShapes(config: BertConfig): Map<string, readonly number[]> {
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const shapes = new Map<string, readonly number[]>();
  const norm = (name: string): void => {
    shapes.set(`${BACKBONE}${name}.weight`, [hidden]);
    shapes.set(`${BACKBONE}${name}.bias`, [hidden]);
  };
  const linear = (name: string, outputs: number, inputs: number): void => {
    shapes.set(`${BACKBONE}${name}.weight`, [outputs, inputs]);
    shapes.set(`${BACKBONE}${name}.bias`, [outputs]);
  };
  shapes.set(`${BACKBONE}embeddings.word_embeddings.weight`, [config.vocabularySize, hidden]);
  shapes.set(`${BACKBONE}embeddings.position_embeddings.weight`, [config.maxPositions, hidden]);
  shapes.set(`${BACKBONE}embeddings.token_type_embeddings.weight`, [config.tokenTypes, hidden]);
  norm('embeddings.LayerNorm');
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `encoder.layer.${layer}`;
    for (const part of ['query', 'key', 'value']) linear(`${block}.attention.self.${part}`, hidden, hidden);
    linear(`${block}.attention.output.dense`, hidden, hidden);
    norm(`${block}.attention.output.LayerNorm`);
    linear(`${block}.intermediate.dense`, inner, hidden);
    linear(`${block}.output.dense`, hidden, inner);
    norm(`${block}.output.LayerNorm`);
  }
  return shapes;
}

/** The layer between the first token's state and the head. A base that was trained without it has none. */
export function bertPoolerShapes({ hiddenSize }: BertConfig): Map<string, readonly number[]> {
  return new Map<string, readonly number[]>([
    [`${BACKBONE}pooler.dense.weight`, [hiddenSize, hiddenSize]],
    [`${BACKBONE}pooler.dense.bias`, [hiddenSize]],
  ]);
}

/** The name in the layout of BertForSequenceClassification; a BertModel alone is saved without the prefix. */
export const bertName = (name: string): string => (/^(embeddings|encoder|pooler)\./.test(name) ? `${BACKBONE}${name}` : name);

/** Counts that older files carry, and the heads of pre-training: nothing reads them. */
export const BERT_IGNORED = /\.position_ids$|^cls\./;
