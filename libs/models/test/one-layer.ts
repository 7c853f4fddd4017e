import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { float32Tensor, type LlamaConfig, llamaTensorShapes, writeLlamaFolder } from '@tunefleet/model-formats';

/** One layer, every size another number, so that the text is short and no two axes can be confused. */
const CONFIG: LlamaConfig = {
  hiddenSize: 12,
  intermediateSize: 20,
  layers: 1,
  heads: 4,
  keyValueHeads: 2,
  headSize: 6,
  vocabularySize: 17,
  maxPositions: 64,
  normEpsilon: 1e-5,
  ropeTheta: 10_000,
  tiedEmbeddings: false,
  bosTokenId: 1,
  eosTokenIds: [2],
  padTokenId: null,
};

/** A Hugging Face folder of it, all zeros: for what a graph looks like, not for what it says. */
export async function oneLayerLlama(): Promise<string> {
  const folder = join(await mkdtemp(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-one-layer-')), 'base');
  const tensors = [...llamaTensorShapes(CONFIG)].map(([name, shape]) =>
    float32Tensor(name, shape, new Float32Array(shape.reduce((a, b) => a * b, 1))),
  );
  await writeLlamaFolder(folder, CONFIG, tensors);
  return folder;
}
