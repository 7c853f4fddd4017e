import { ModelFormatError } from '../errors.js';
import type { LlamaConfig } from '../hugging-face/llama-config.js';
import type { GgufFile } from './file.js';
import type { GgufMetadata, GgufValue } from './metadata.js';

/** What is read below, without `llama.`; another key of the architecture may change the computation and is refused. */
const READ = new Set([
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.layer_norm_rms_epsilon',
  'attention.value_length',
  'block_count',
  'context_length',
  'embedding_length',
  'expert_count',
  'feed_forward_length',
  'rope.dimension_count',
  'rope.freq_base',
  'rope.scale_linear',
  'rope.scaling.factor',
  'rope.scaling.type',
  'vocab_size',
]);

/** Keys of READ under which positions are scaled or experts mixed, with the values under which they are not. */
const ONLY: Readonly<Record<string, readonly GgufValue[]>> = {
  expert_count: [0],
  'rope.scale_linear': [1],
  'rope.scaling.factor': [1],
  'rope.scaling.type': ['none'],
};

/**
 * The config of a model of GGUF's architecture `llama`. Errors: `not_supported` by name (other architectures, experts, scaled rotary
 * positions, any other setting of the architecture); `invalid_config` for a value that makes no sense.
 */
export function ggufLlamaConfig(file: GgufFile): LlamaConfig {
  const { metadata } = file;
  checkArchitecture(metadata);
  refuseUnknown(metadata);
  const fields = new Fields(metadata);
  const hiddenSize = fields.natural('embedding_length');
  const heads = fields.natural('attention.head_count');
  const keyValueHeads = fields.natural('attention.head_count_kv', heads);
  const headSize = fields.natural('attention.key_length', hiddenSize / heads);
  fields.equal('attention.value_length', headSize);
  fields.equal('rope.dimension_count', headSize);
  if (headSize % 2 !== 0) throw invalid('attention.head_count', `heads of ${headSize} values; rotary positions need an even number`);
  if (heads % keyValueHeads !== 0) throw invalid('attention.head_count_kv', `${heads} heads do not share ${keyValueHeads} evenly`);
  const vocabularySize = file.info('token_embd.weight').shape[0]!;
  fields.equal('vocab_size', vocabularySize);
  const ends = ['eos', 'eot', 'eom'].flatMap((name) => tokenId(metadata, name, vocabularySize) ?? []);
  return {
    hiddenSize,
    intermediateSize: fields.natural('feed_forward_length'),
    layers: fields.natural('block_count'),
    heads,
    keyValueHeads,
    headSize,
    vocabularySize,
    maxPositions: fields.natural('context_length'),
    normEpsilon: fields.positive('attention.layer_norm_rms_epsilon'),
    ropeTheta: fields.positive('rope.freq_base', 10_000),
    tiedEmbeddings: !file.names.includes('output.weight'),
    bosTokenId: tokenId(metadata, 'bos', vocabularySize),
    eosTokenIds: [...new Set(ends)],
    padTokenId: tokenId(metadata, 'padding', vocabularySize),
  };
}

function checkArchitecture(metadata: GgufMetadata): void {
  const architecture = metadata.get('general.architecture');
  if (typeof architecture !== 'string') throw new ModelFormatError('invalid_config', 'metadata `general.architecture` is missing');
  if (architecture !== 'llama') throw unsupported('general.architecture', architecture);
}

function refuseUnknown(metadata: GgufMetadata): void {
  for (const [key, value] of metadata) {
    if (!key.startsWith('llama.')) continue;
    const name = key.slice('llama.'.length);
    const allowed = ONLY[name];
    if (!READ.has(name) || (allowed && !allowed.includes(value))) throw unsupported(key, value);
  }
}

function tokenId(metadata: GgufMetadata, role: string, vocabularySize: number): number | null {
  const key = `tokenizer.ggml.${role}_token_id`;
  const id = metadata.get(key);
  if (id === undefined) return null;
  if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabularySize) return id;
  throw new ModelFormatError('invalid_config', `metadata \`${key}\`: ${String(id)} is not a token of a vocabulary of ${vocabularySize}`);
}

class Fields {
  constructor(private readonly metadata: GgufMetadata) {}

  natural(name: string, fallback?: number): number {
    const value = this.metadata.get(`llama.${name}`) ?? fallback;
    // The bound of parseLlamaConfig.
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 2 ** 26) return value;
    throw invalid(name, `must be an integer from 1 to 2^26, not ${shown(value)}`);
  }

  /** Given as a float32: the shortest decimal that it is the nearest of, which is what the model's author wrote (1e-5, not 9.999999747378752e-6). */
  positive(name: string, fallback?: number): number {
    const value = this.metadata.get(`llama.${name}`) ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return shortestFloat32(value);
    throw invalid(name, `must be a number above 0, not ${shown(value)}`);
  }

  equal(name: string, expected: number): void {
    const value = this.metadata.get(`llama.${name}`) ?? expected;
    if (value !== expected)
      throw new ModelFormatError('not_supported', `metadata \`llama.${name}\` is ${shown(value)}; ${expected} is supported here`);
  }
}

/** The decimal with the fewest digits that rounds to the same float32. */
function shortestFloat32(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return rounded;
  }
  return value;
}

function shown(value: GgufValue | undefined): string {
  return Array.isArray(value) ? 'a list' : String(value);
}

function invalid(name: string, message: string): ModelFormatError {
  return new ModelFormatError('invalid_config', `metadata \`llama.${name}\`: ${message}`);
}

function unsupported(key: string, value: GgufValue): ModelFormatError {
  return new ModelFormatError('not_supported', `metadata \`${key}\` = ${shown(value)} is not supported`);
}
