import { ApiError, type FileObject, type FileSummary, type FileValidation, isErrorCode } from '@tunefleet/contracts';
import type { Store } from '../store/records.js';
import type { FileEntry, FileRecord, RowFault, RowReport } from '../store/schemas.js';
import { seconds } from './parts.js';

/** Their rows are looked at after the upload; files of other purposes are `processed` at once. */
export const hasRows = (purpose: string): boolean => purpose === 'fine-tune' || purpose === 'evals';

export const isExpired = ({ expires_at }: Pick<FileRecord, 'expires_at'>): boolean => expires_at !== null && expires_at <= seconds();

/** The project's own file. Throws `file_not_found`, also for another project's. */
export async function findFile({ files }: Store, project: string, id: string, param = 'file_id'): Promise<FileRecord> {
  const stored = await files.get(id);
  if (stored && stored.value.project === project && !isExpired(stored.value)) return stored.value;
  throw new ApiError('file_not_found', `No such file: '${id}'.`, { param });
}

export function fileObject(file: FileRecord | FileEntry): FileObject {
  const { id, bytes, created_at, expires_at, filename, purpose, status, status_details } = file;
  return {
    ...{ id, object: 'file', bytes, created_at },
    ...(expires_at === null ? {} : { expires_at }),
    ...{ filename, purpose, status },
    ...(status_details === null ? {} : { status_details }),
  };
}

/** Codes of `training-data` that the public table has no word for are faults of a row. */
const publicCode = (code: string): string => (code === 'mixed_rows' ? 'mixed_formats' : isErrorCode(code) ? code : 'invalid_row');

export const publicFault = <F extends { code: string }>(fault: F): F => ({ ...fault, code: publicCode(fault.code) });

export function fileSummary(file: FileRecord): FileSummary {
  const { id, filename, purpose, bytes, status, sha256, report, status_details } = file;
  const [first] = report?.data ?? [];
  const unseen = { code: 'invalid_row', message: status_details ?? '', line: null, column: null };
  const fault = status === 'error' ? (first ? publicFault(first) : unseen) : null;
  return { id, filename, purpose, bytes, status, sha256, rows: report?.rows ?? null, kind: report?.kind ?? null, fault };
}

export function fileValidation({ status, report }: FileRecord): FileValidation {
  return { object: 'file.validation', status, rows: report?.rows ?? null, faults: report?.faults ?? {}, data: report?.data ?? [] };
}

const SHOWN = 5;
const place = ({ line, column, code, message }: RowFault): string => `Line ${line}, column ${column}: ${message} (${code}).`;

/** `status_details`: the first faults in words, and how many more there are. */
export function faultText({ faults, data }: Pick<RowReport, 'faults' | 'data'>): string {
  const total = Object.values(faults).reduce((sum, count) => sum + count, 0);
  const shown = data.slice(0, SHOWN);
  const more = total - shown.length;
  return [...shown.map(place), ...(more > 0 ? [`${more} more; see GET /v1/files/{file_id}/validation.`] : [])].join(' ');
}
