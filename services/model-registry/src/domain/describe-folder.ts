import { join } from 'node:path';
import type { ModelHead } from '@tunefleet/contracts';
import { openMergedFolder, openModelFolder, openSafetensors, readLoraFolder, weightsSha256Of } from '@tunefleet/model-formats';

export interface Described {
  weights_sha256: string;
  parameters: number;
  /** Longest sequence in tokens. */
  context: number;
  head: ModelHead;
}

/** Checks a Hugging Face folder whole and says what the registry records of it. Errors: `ModelFormatError` by its codes. */
export async function describeFolder(folder: string): Promise<Described> {
  const { family, config, labels, weights } = await openModelFolder(folder);
  const head = labels ? 'classifier' : family === 'bert' ? 'none' : 'language_model';
  try {
    const parameters = weights.names.reduce((sum, name) => sum + weights.info(name).shape.reduce((a, b) => a * b, 1), 0);
    return { weights_sha256: await weightsSha256Of(weights), parameters, context: config.maxPositions, head };
  } finally {
    await weights.close();
  }
}

/** The same of a PEFT folder over a base that it is to fit; its hash is that of its own tensors. */
export async function describeAdapter(folder: string, base: { folder: string; described: Described }): Promise<Described> {
  const { config } = await readLoraFolder(folder);
  const together = await openMergedFolder(base.folder, folder);
  await together.close();
  const weights = await openSafetensors(join(folder, 'adapter_model.safetensors'));
  try {
    const head = config.task === 'SEQ_CLS' ? 'classifier' : base.described.head;
    return { ...base.described, head, weights_sha256: await weightsSha256Of(weights) };
  } finally {
    await weights.close();
  }
}
