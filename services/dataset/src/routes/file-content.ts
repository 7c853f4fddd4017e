import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import { findFile } from '../domain/files.js';
import type { Parts } from '../domain/parts.js';

/** `GET /v1/files/{file_id}/content`: the raw bytes. Result files are plain CSV. */
export function fileContentRoute(app: App, { store, objects }: Parts): void {
  const schema = { params: Type.Object({ file_id: Type.String() }) };
  app.get('/v1/files/:file_id/content', { schema }, async ({ identity, params }, reply) => {
    const file = await findFile(store, identity.project, params.file_id);
    const stream = await objects.get(file.key);
    const type = file.purpose === 'fine-tune-results' ? 'text/csv; charset=utf-8' : 'application/octet-stream';
    return reply
      .type(type)
      .header('content-length', file.bytes)
      .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(Buffer.from(file.filename).toString())}`)
      .send(stream);
  });
}
