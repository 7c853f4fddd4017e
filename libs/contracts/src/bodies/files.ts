import { Type } from 'typebox';
import { LIMITS } from '../limits.js';
import { strict } from './strict.js';

/** What `POST /v1/files` takes. */
export const UPLOAD_PURPOSES = ['assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'] as const;
export type UploadPurpose = (typeof UPLOAD_PURPOSES)[number];
/** Further ones that files made here have. */
export const FILE_PURPOSES = [...UPLOAD_PURPOSES, 'assistants_output', 'batch_output', 'fine-tune-results'] as const;

export const FileStatus = Type.Union([Type.Literal('uploaded'), Type.Literal('processed'), Type.Literal('error')]);

/** OpenAI's file. `expires_at` and `status_details` are left out where there is nothing to say. */
export const FileObject = Type.Object({
  id: Type.String(),
  object: Type.Literal('file'),
  bytes: Type.Integer(),
  created_at: Type.Integer(),
  expires_at: Type.Optional(Type.Integer()),
  filename: Type.String(),
  purpose: Type.String(),
  status: FileStatus,
  status_details: Type.Optional(Type.String()),
});
export type FileObject = Type.Static<typeof FileObject>;

export const FileListQuery = strict({
  purpose: Type.Optional(Type.String({ maxLength: 64 })),
  limit: Type.Integer({ minimum: 1, maximum: LIMITS.fileListMax, default: LIMITS.fileListMax }),
  order: Type.Union([Type.Literal('asc'), Type.Literal('desc')], { default: 'desc' }),
  after: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
});

export const DeletedFile = Type.Object({ id: Type.String(), object: Type.Literal('file'), deleted: Type.Literal(true) });

/** `GET /v1/files/{id}/validation`: how many rows fail by each code, and the first of them. `rows` is null until they are counted. */
export const FileValidation = Type.Object({
  object: Type.Literal('file.validation'),
  status: FileStatus,
  rows: Type.Union([Type.Integer(), Type.Null()]),
  faults: Type.Record(Type.String(), Type.Integer()),
  data: Type.Array(Type.Object({ line: Type.Integer(), column: Type.Integer(), code: Type.String(), message: Type.String() })),
});
export type FileValidation = Type.Static<typeof FileValidation>;
