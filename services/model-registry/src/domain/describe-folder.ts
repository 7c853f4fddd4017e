import { openLlamaFolder, weightsSha256Of } from '@tunefleet/model-formats';

export interface Described {
  weights_sha256: string;
  parameters: number;
  /** Longest sequence in tokens. */
  context: number;
}

/** Checks a Hugging Face folder whole and says what the registry records of it. Errors: `ModelFormatError` by its codes. */
export async function describeFolder(folder: string): Promise<Described> {
  const { config, weights } = await openLlamaFolder(folder);
  try {
    const parameters = weights.names.reduce((sum, name) => sum + weights.info(name).shape.reduce((a, b) => a * b, 1), 0);
    return { weights_sha256: await weightsSha256Of(weights), parameters, context: config.maxPositions };
  } finally {
    await weights.close();
  }
}
