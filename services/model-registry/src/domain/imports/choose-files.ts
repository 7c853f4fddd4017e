import { ApiError, isGgufFile, isModelFile, LIMITS } from '@tunefleet/contracts';

/** Which of the names in a folder make up a model: those of a Hugging Face folder, or the only GGUF file. Errors: `import_failed`. */
export function chooseFiles(names: readonly string[], where: string): string[] {
  const folder = names.filter(isModelFile);
  if (folder.includes('config.json')) return limited(folder, where);
  const gguf = names.filter(isGgufFile);
  const [only] = gguf;
  if (only !== undefined && gguf.length === 1) return [only];
  const why = gguf.length > 1 ? `several GGUF files (${gguf.slice(0, 5).join(', ')})` : 'neither a config.json nor a GGUF file';
  throw new ApiError('import_failed', `There is no one model to import: ${where} has ${why}.`, { param: 'source' });
}

function limited(names: string[], where: string): string[] {
  if (names.length <= LIMITS.importFiles) return names;
  throw new ApiError('import_failed', `${where} has ${names.length} model files; ${LIMITS.importFiles} are allowed.`, { param: 'source' });
}

/** The sum so far. Errors: `import_failed` where it is too much. */
export function within(bytes: number): number {
  if (bytes <= LIMITS.importBytes) return bytes;
  throw new ApiError('import_failed', `The files of an import hold at most ${LIMITS.importBytes} bytes together.`, { param: 'source' });
}
