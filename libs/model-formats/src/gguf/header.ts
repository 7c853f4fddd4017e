import { ModelFormatError } from '../errors.js';
import { elementCount } from '../safetensors/dtype.js';
import { Cursor } from './cursor.js';
import { type GgufMetadata, readMetadata } from './metadata.js';
import { blockOf, GGUF_DTYPES, type GgufDtype, ggufDtype } from './types.js';

/** Where a tensor lies: `begin` and `end` count bytes from the start of the file. `shape` is row-major, the contiguous dimension last. */
export interface GgufTensorInfo {
  name: string;
  dtype: GgufDtype;
  shape: readonly number[];
  begin: number;
  end: number;
}

export interface GgufHeader {
  metadata: GgufMetadata;
  /** In the order of their bytes. */
  tensors: ReadonlyMap<string, GgufTensorInfo>;
}

const VERSION = 3;
const DEFAULT_ALIGNMENT = 32;
const MAX_ALIGNMENT = 65_536;
/** ggml's GGML_MAX_NAME and GGML_MAX_DIMS. */
const MAX_NAME_BYTES = 64;
const MAX_DIMENSIONS = 4;
/** Least bytes of a metadata pair (key's length, type, value) and of a tensor's entry (name's length, dimensions, one of them, type, offset). */
const LEAST_PAIR_BYTES = 13;
const LEAST_ENTRY_BYTES = 32;

/**
 * Parses and checks the header of a GGUF file, of which `bytes` are the first and `fileBytes` the size. Tensors have to follow one another with
 * no more between them than alignment asks for, as llama.cpp demands too.
 * Errors: `not_gguf`; `not_supported` (versions 1 and 2, big-endian, types that are not read); `truncated`, `duplicate_key`, `invalid_metadata`,
 * `invalid_entry`, `invalid_shape`, `unknown_dtype`, `misaligned`, `overlap`, `hole`, `trailing_bytes`; NeedMoreBytes.
 */
export function parseGgufHeader(bytes: Uint8Array, fileBytes: number): GgufHeader {
  const cursor = new Cursor(bytes, fileBytes);
  checkStart(cursor);
  const tensorCount = cursor.count(LEAST_ENTRY_BYTES, 'the number of tensors');
  const pairCount = cursor.count(LEAST_PAIR_BYTES, 'the number of metadata pairs');
  const metadata = readMetadata(cursor, pairCount);
  const alignment = alignmentOf(metadata);
  const entries: GgufTensorInfo[] = [];
  const names = new Set<string>();
  for (let index = 0; index < tensorCount; index++) {
    const entry = readEntry(cursor, index, alignment);
    if (names.has(entry.name)) throw new ModelFormatError('invalid_entry', `tensor \`${entry.name}\` is there twice`);
    names.add(entry.name);
    entries.push(entry);
  }
  const dataStart = roundUp(cursor.at, alignment);
  const tensors = entries
    .map((entry) => ({ ...entry, begin: entry.begin + dataStart, end: entry.end + dataStart }))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkLayout(tensors, dataStart, alignment, fileBytes);
  return { metadata, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

function checkStart(cursor: Cursor): void {
  const magic = String.fromCharCode(cursor.uint8(), cursor.uint8(), cursor.uint8(), cursor.uint8());
  if (magic !== 'GGUF') throw new ModelFormatError('not_gguf', 'a GGUF file begins with the letters GGUF');
  const version = cursor.uint32();
  if (version === VERSION) return;
  // Versions are small: one that is small with its bytes turned round was written by a big-endian machine.
  if (version % 65_536 === 0 && version !== 0) throw new ModelFormatError('not_supported', 'big-endian GGUF files are not supported');
  throw new ModelFormatError('not_supported', `GGUF version ${version} is not supported; version ${VERSION} is`);
}

function alignmentOf(metadata: GgufMetadata): number {
  const value = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  const powerOfTwo = typeof value === 'number' && Number.isInteger(Math.log2(value));
  if (powerOfTwo && value >= 8 && value <= MAX_ALIGNMENT) return value;
  throw new ModelFormatError(
    'misaligned',
    `metadata \`general.alignment\` is ${String(value)}; it must be a power of two from 8 to ${MAX_ALIGNMENT}`,
  );
}

/** `begin` and `end` still count from the start of the data. */
function readEntry(cursor: Cursor, index: number, alignment: number): GgufTensorInfo {
  const name = cursor.text(`the name of tensor ${index + 1}`, MAX_NAME_BYTES);
  const rank = cursor.uint32();
  if (rank < 1 || rank > MAX_DIMENSIONS)
    throw new ModelFormatError('invalid_shape', `tensor \`${name}\` has ${rank} dimensions; 1 to 4 are possible`);
  // The file has the contiguous dimension first.
  const shape = Array.from({ length: rank }, cursor.uint64).reverse();
  const dtype = dtypeOf(cursor.uint32(), name);
  const begin = cursor.uint64();
  const bytes = tensorBytes(name, dtype, shape);
  if (typeof begin === 'bigint' || begin % alignment !== 0) {
    throw new ModelFormatError('misaligned', `tensor \`${name}\` begins at ${begin}, which is no multiple of the alignment ${alignment}`);
  }
  return { name, dtype, shape: shape as number[], begin, end: begin + bytes };
}

function dtypeOf(id: number, name: string): GgufDtype {
  const found = ggufDtype(id);
  if (!found) throw new ModelFormatError('unknown_dtype', `tensor \`${name}\` has the unknown type ${id}`);
  if ('read' in found) return found.read;
  throw new ModelFormatError('not_supported', `tensor \`${name}\` is of type ${found.known}; ${GGUF_DTYPES.join(', ')} are read`);
}

function tensorBytes(name: string, dtype: GgufDtype, shape: readonly (number | bigint)[]): number {
  const { blockValues, blockBytes } = blockOf(dtype);
  const natural = shape.every((size): size is number => typeof size === 'number' && size > 0);
  const count = natural ? elementCount(shape) : undefined;
  const row = shape.at(-1);
  if (count === undefined || typeof row !== 'number' || !Number.isSafeInteger(count * blockBytes)) {
    throw new ModelFormatError('invalid_shape', `tensor \`${name}\`: shape [${shape.join(', ')}] is not possible`);
  }
  if (row % blockValues === 0) return (count / blockValues) * blockBytes;
  throw new ModelFormatError('invalid_shape', `tensor \`${name}\`: rows of ${row} values are no whole blocks of ${dtype} (${blockValues})`);
}

function checkLayout(tensors: readonly GgufTensorInfo[], dataStart: number, alignment: number, fileBytes: number): void {
  let at = dataStart;
  for (const { name, begin, end } of tensors) {
    if (begin < at) throw new ModelFormatError('overlap', `tensor \`${name}\` overlaps the one before it`);
    if (begin > roundUp(at, alignment))
      throw new ModelFormatError('hole', `${begin - at} bytes before tensor \`${name}\` belong to no tensor`);
    if (end > fileBytes) throw new ModelFormatError('truncated', `tensor \`${name}\` ends at byte ${end}, the file at ${fileBytes}`);
    at = end;
  }
  if (fileBytes > roundUp(at, alignment)) {
    throw new ModelFormatError('trailing_bytes', `${fileBytes - at} bytes after the last tensor belong to no tensor`);
  }
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
