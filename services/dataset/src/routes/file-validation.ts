import { FileValidation } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import { fileValidation, findFile } from '../domain/files.js';
import type { Parts } from '../domain/parts.js';

/** `GET /v1/files/{file_id}/validation` (ours): every fault counted, the first ones with line and column. */
export function fileValidationRoute(app: App, { store }: Parts): void {
  const schema = { params: Type.Object({ file_id: Type.String() }), response: { 200: FileValidation } };
  app.get('/v1/files/:file_id/validation', { schema }, async ({ identity, params }) =>
    fileValidation(await findFile(store, identity.project, params.file_id)),
  );
}
