export type TokenizationCode =
  /** tokenizer.json or a file beside it is missing, damaged or not what the library reads. */
  | 'invalid_tokenizer'
  /** A GGUF file's kind of tokenizer is none that can be turned into a tokenizer.json that says the same. */
  | 'not_supported'
  /** The chat template does not parse, breaks a bound, or refuses the messages (`raise_exception`). */
  | 'template_error'
  /** The template renders, but which text is the assistant's cannot be told. */
  | 'untraceable_template';

export class TokenizationError extends Error {
  constructor(
    readonly code: TokenizationCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TokenizationError';
  }
}
