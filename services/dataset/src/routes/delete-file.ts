import { DeletedFile } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import { deleteFile } from '../domain/delete-file.js';
import { findFile } from '../domain/files.js';
import type { Parts } from '../domain/parts.js';

/** `DELETE /v1/files/{file_id}` */
export function deleteFileRoute(app: App, parts: Parts): void {
  const schema = { params: Type.Object({ file_id: Type.String() }), response: { 200: DeletedFile } };
  app.delete('/v1/files/:file_id', { schema }, async ({ identity, params }) => {
    const file = await findFile(parts.store, identity.project, params.file_id);
    await deleteFile(parts, file);
    return { id: file.id, object: 'file' as const, deleted: true as const };
  });
}
