/** The ggml types that are read: the number in a file, how many values a block holds, the bytes of a block (ggml.h, ggml-common.h). */
const READ = {
  F32: { id: 0, blockValues: 1, blockBytes: 4 },
  F16: { id: 1, blockValues: 1, blockBytes: 2 },
  Q4_0: { id: 2, blockValues: 32, blockBytes: 18 },
  Q4_1: { id: 3, blockValues: 32, blockBytes: 20 },
  Q8_0: { id: 8, blockValues: 32, blockBytes: 34 },
  Q4_K: { id: 12, blockValues: 256, blockBytes: 144 },
  Q6_K: { id: 14, blockValues: 256, blockBytes: 210 },
  BF16: { id: 30, blockValues: 1, blockBytes: 2 },
} as const;

export type GgufDtype = keyof typeof READ;

export const GGUF_DTYPES = Object.keys(READ) as GgufDtype[];

const BY_ID = new Map(GGUF_DTYPES.map((name) => [READ[name].id as number, name]));

/** Types that exist and are not read, so that the refusal can name them. */
const OTHERS: Readonly<Record<number, string>> = {
  6: 'Q5_0',
  7: 'Q5_1',
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  13: 'Q5_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
};

/** The type of an id in a file that is read, or the name of one that is known and not read, or neither. */
export function ggufDtype(id: number): { read: GgufDtype } | { known: string } | undefined {
  const read = BY_ID.get(id);
  if (read) return { read };
  const known = OTHERS[id];
  return known === undefined ? undefined : { known };
}

export function blockOf(dtype: GgufDtype): { blockValues: number; blockBytes: number } {
  return READ[dtype];
}
