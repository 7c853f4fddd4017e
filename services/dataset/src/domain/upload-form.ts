import type { Readable } from 'node:stream';
import type { MultipartFile } from '@fastify/multipart';
import { ApiError, LIMITS, UPLOAD_PURPOSES, type UploadPurpose } from '@tunefleet/contracts';
import type { FastifyRequest } from 'fastify';

const FILENAME_LENGTH = 255;

export interface StoredFile<S> {
  filename: string;
  stored: S;
}

export interface UploadForm<S> {
  purpose: UploadPurpose;
  /** Seconds after creation, or null. */
  expiresAfter: number | null;
  file: StoredFile<S>;
  /** All fields as they were sent, for the body hash. */
  fields: [name: string, value: string][];
}

const fault = (message: string, param: string | null = null) => new ApiError('invalid_multipart', message, { param });

export function parsePurpose(value: string): UploadPurpose {
  const known = UPLOAD_PURPOSES.find((purpose) => purpose === value);
  if (known) return known;
  throw new ApiError('invalid_purpose', `Invalid purpose '${value.slice(0, 64)}': expected one of ${UPLOAD_PURPOSES.join(', ')}.`, {
    param: 'purpose',
  });
}

function parseExpiry(fields: Map<string, string>): number | null {
  const anchor = fields.get('expires_after[anchor]');
  const text = fields.get('expires_after[seconds]');
  if (anchor === undefined && text === undefined) return null;
  const missing = anchor === undefined ? 'expires_after[anchor]' : text === undefined ? 'expires_after[seconds]' : null;
  if (missing) throw new ApiError('missing_required_parameter', `Missing required parameter: '${missing}'.`, { param: missing });
  if (anchor !== 'created_at') {
    throw new ApiError('invalid_value', "Invalid value for 'expires_after[anchor]': expected 'created_at'.", {
      param: 'expires_after[anchor]',
    });
  }
  const { fileExpiresMinSeconds: min, fileExpiresMaxSeconds: max } = LIMITS;
  const param = 'expires_after[seconds]';
  if (!/^-?\d{1,15}$/.test(text ?? '')) throw new ApiError('invalid_type', `Invalid type for '${param}': expected an integer.`, { param });
  const value = Number(text);
  if (value < min || value > max)
    throw new ApiError('invalid_value', `Invalid value for '${param}': expected ${min} to ${max}.`, { param });
  return value;
}

/** One check for each field as it arrives, so that a wrong purpose in front of the file is refused before its bytes are read. */
const FIELDS: Record<string, (value: string) => void> = {
  purpose: parsePurpose,
  'expires_after[anchor]': () => {},
  'expires_after[seconds]': () => {},
};

/** The plugin's errors are its own; what they mean is that the form is broken, or that the client hung up. */
function asFormFault(error: unknown): unknown {
  if (error instanceof ApiError) return error;
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'FST_PROTO_VIOLATION') return new ApiError('unknown_parameter', 'Unknown parameter.');
  if (code?.startsWith('FST_') || /multipart|form|Part |boundary|header/i.test(message ?? ''))
    return fault(`The multipart form cannot be read: ${message}`);
  return error;
}

/**
 * Reads the form of `POST /v1/files` as it streams in, fields and file in any order. `store` takes the file's bytes; it is called once.
 * Errors: `invalid_multipart`, `unknown_parameter`, `missing_required_parameter`, `invalid_purpose`, `invalid_type`, `invalid_value`.
 */
export async function readUploadForm<S>(request: FastifyRequest, store: (stream: Readable) => Promise<S>): Promise<UploadForm<S>> {
  if (!request.isMultipart()) throw fault("Expected a 'multipart/form-data' body with 'file' and 'purpose'.");
  const fields = new Map<string, string>();
  let file: StoredFile<S> | null = null;
  try {
    for await (const part of request.parts()) {
      const param = part.fieldname;
      if (part.type === 'file') {
        if (param !== 'file') throw new ApiError('unknown_parameter', `Unknown parameter: '${param}'.`, { param });
        if (file) throw fault("Expected one 'file'.", 'file');
        file = { filename: filenameOf(part), stored: await store(part.file) };
        continue;
      }
      const check = Object.hasOwn(FIELDS, param) ? FIELDS[param] : undefined;
      if (!check) {
        if (param === 'file') throw new ApiError('invalid_type', "Invalid type for 'file': expected a file, with a filename.", { param });
        throw new ApiError('unknown_parameter', `Unknown parameter: '${param}'.`, { param });
      }
      if (fields.has(param)) throw fault(`'${param}' was sent twice.`, param);
      const value = String(part.value);
      if (part.valueTruncated) throw new ApiError('invalid_value', `The value of '${param}' is too long.`, { param });
      check(value);
      fields.set(param, value);
    }
  } catch (error) {
    throw asFormFault(error);
  }
  const purpose = fields.get('purpose');
  const absent = file === null ? 'file' : purpose === undefined ? 'purpose' : null;
  if (absent) throw new ApiError('missing_required_parameter', `Missing required parameter: '${absent}'.`, { param: absent });
  return { purpose: parsePurpose(purpose!), expiresAfter: parseExpiry(fields), file: file!, fields: [...fields].sort() };
}

function filenameOf({ filename }: MultipartFile): string {
  const name = filename || 'file';
  if (name.length <= FILENAME_LENGTH) return name;
  throw new ApiError('invalid_value', `The filename is longer than ${FILENAME_LENGTH} characters.`, { param: 'file' });
}
