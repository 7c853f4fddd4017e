import { FileObject } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import { fileObject, findFile } from '../domain/files.js';
import type { Parts } from '../domain/parts.js';

/** `GET /v1/files/{file_id}` */
export function retrieveFileRoute(app: App, { store }: Parts): void {
  const schema = { params: Type.Object({ file_id: Type.String() }), response: { 200: FileObject } };
  app.get('/v1/files/:file_id', { schema }, async ({ identity, params }) =>
    fileObject(await findFile(store, identity.project, params.file_id)),
  );
}
