/** A linear module of a model's blocks. */
export interface LinearModule {
  /** as in the Hugging Face layout, without `.weight` */
  name: string;
  inputs: number;
  outputs: number;
}

/** The matrices of the blocks, of a Llama and of a BERT alike, in the order of the forward pass: what adapters are put on and 4-bit blocks are made of. */
export function blockLinears(shapes: ReadonlyMap<string, readonly number[]>): LinearModule[] {
  return [...shapes].flatMap(([name, [outputs, inputs]]) =>
    inputs !== undefined && /\.layers?\.\d+\./.test(name) ? [{ name: name.replace(/\.weight$/, ''), inputs, outputs: outputs! }] : [],
  );
}
