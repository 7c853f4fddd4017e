import multipart from '@fastify/multipart';
import { ApiError, FileObject, LIMITS } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { createFile } from '../domain/create-file.js';
import { fileObject } from '../domain/files.js';
import type { Parts } from '../domain/parts.js';

const FORM = { fileSize: LIMITS.fileBytes, files: 2, fields: 8, parts: 10, fieldNameSize: 100, fieldSize: 1024, headerPairs: 32 };

/** `POST /v1/files` */
export async function createFileRoute(app: App, parts: Parts): Promise<void> {
  await app.register(multipart, { limits: FORM, throwFileSizeLimit: false });
  let uploads = 0;
  app.post('/v1/files', { config: { seconds: 0 }, schema: { response: { 200: FileObject } } }, async (request) => {
    if (uploads >= LIMITS.concurrentUploads) {
      throw new ApiError('rate_limit_exceeded', `${uploads} uploads are under way; try again in a moment.`, { retryAfterSeconds: 1 });
    }
    uploads += 1;
    try {
      return fileObject(await createFile(parts, request));
    } finally {
      uploads -= 1;
    }
  });
}
