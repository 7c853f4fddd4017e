import { FileListQuery, FileObject } from '@tunefleet/contracts';
import { type App, ListSchema, listOf } from '@tunefleet/service';
import { fileObject, isExpired } from '../domain/files.js';
import type { Parts } from '../domain/parts.js';

/** `GET /v1/files` */
export function listFilesRoute(app: App, { store }: Parts): void {
  app.get('/v1/files', { schema: { querystring: FileListQuery, response: { 200: ListSchema(FileObject) } } }, async (request) => {
    const { purpose, limit, order, after } = request.query;
    const { project } = request.identity;
    const where = (file: { purpose: string; expires_at: number | null }) =>
      (purpose === undefined || file.purpose === purpose) && !isExpired(file);
    const { items, has_more } = store.files.list({ project, after, limit, order, where });
    return listOf(items.map(fileObject), { has_more });
  });
}
