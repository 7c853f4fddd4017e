export type ModelFormatCode =
  | 'pickle'
  | 'not_safetensors'
  | 'not_gguf'
  | 'misaligned'
  | 'header_too_large'
  | 'truncated'
  | 'header_not_utf8'
  | 'header_not_json'
  | 'duplicate_key'
  | 'invalid_entry'
  | 'invalid_metadata'
  | 'unknown_dtype'
  | 'invalid_shape'
  | 'size_mismatch'
  | 'hole'
  | 'overlap'
  | 'trailing_bytes'
  | 'unknown_tensor'
  | 'missing_tensor'
  | 'missing_file'
  | 'invalid_config'
  | 'not_supported';

/** A model artifact that is not what it claims to be. `code` says which rule it breaks; the message names the file, tensor or setting. */
export class ModelFormatError extends Error {
  constructor(
    readonly code: ModelFormatCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ModelFormatError';
  }
}
