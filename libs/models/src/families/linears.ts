import type { LlamaConfig } from '@tunefleet/model-formats';

export interface LinearModule {
  /** as in the Hugging Face layout, without `.weight` */
  name: string;
  layer: number;
  inputs: number;
  outputs: number;
}

/** The linear modules of the blocks in the order of the forward pass: what "all-linear" means (every linear but the head). */
export function llamaLinears(config: LlamaConfig): LinearModule[] {
  const queries = config.heads * config.headSize;
  const keys = config.keyValueHeads * config.headSize;
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const shapes: [string, number, number][] = [
    ['self_attn.q_proj', hidden, queries],
    ['self_attn.k_proj', hidden, keys],
    ['self_attn.v_proj', hidden, keys],
    ['self_attn.o_proj', queries, hidden],
    ['mlp.gate_proj', hidden, inner],
    ['mlp.up_proj', hidden, inner],
    ['mlp.down_proj', inner, hidden],
  ];
  return Array.from({ length: config.layers }, (_, layer) =>
    shapes.map(([part, inputs, outputs]) => ({ name: `model.layers.${layer}.${part}`, layer, inputs, outputs })),
  ).flat();
}
