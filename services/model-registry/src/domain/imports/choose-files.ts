import { ApiError, isAdapterFile, isGgufFile, isModelFile, LIMITS } from '@tunefleet/contracts';

/**
 * Which of the names in a folder make up a model: those of a Hugging Face folder, or the only GGUF file; with `adapter` those of a PEFT folder.
 * Errors: `import_failed`.
 */
export function chooseFiles(names: readonly string[], where: string, adapter: boolean): string[] {
  if (adapter) return adapterFiles(names, where);
  const folder = names.filter(isModelFile);
  if (folder.includes('config.json')) return limited(folder, where);
  const gguf = names.filter(isGgufFile);
  const [only] = gguf;
  if (only !== undefined && gguf.length === 1) return [only];
  if (names.includes('adapter_config.json')) throw fault(`${where} is a PEFT adapter: name the base that it belongs to as \`base\``);
  const why = gguf.length > 1 ? `several GGUF files (${gguf.slice(0, 5).join(', ')})` : 'neither a config.json nor a GGUF file';
  throw fault(`There is no one model to import: ${where} has ${why}`);
}

/** The adapter and, where it has one, its tokenizer; what else of a model lies beside it belongs to the base. */
function adapterFiles(names: readonly string[], where: string): string[] {
  if (!names.includes('adapter_config.json'))
    throw fault(`${where} has no adapter_config.json, so that there is nothing to put over \`base\``);
  return names.filter((name) => isAdapterFile(name) || (isModelFile(name) && /^(tokenizer|special_tokens_map|chat_template)/.test(name)));
}

const fault = (message: string): ApiError => new ApiError('import_failed', `${message}.`, { param: 'source' });

function limited(names: string[], where: string): string[] {
  if (names.length <= LIMITS.importFiles) return names;
  throw fault(`${where} has ${names.length} model files; ${LIMITS.importFiles} are allowed`);
}

/** The sum so far. Errors: `import_failed` where it is too much. */
export function within(bytes: number): number {
  if (bytes <= LIMITS.importBytes) return bytes;
  throw fault(`The files of an import hold at most ${LIMITS.importBytes} bytes together`);
}
