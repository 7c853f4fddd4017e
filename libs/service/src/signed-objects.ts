import type { IncomingMessage, ServerResponse } from 'node:http';
import type { App } from './app.js';

/** A folder store answers its own signed URLs; one on S3 has no `handle`. */
export interface SignedStore {
  handle?(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** `GET` and `PUT /objects/*` for a store on a folder: the URL's signature is the only authority. Nothing on S3. */
export function signedObjects(app: App, store: SignedStore): void {
  if (!store.handle) return;
  void app.register(async (objects) => {
    // Objects are streams of any type, never parsed.
    objects.removeAllContentTypeParsers();
    objects.addContentTypeParser('*', (_request, _payload, done) => done(null));
    objects.route({
      method: ['GET', 'PUT'],
      url: '/objects/*',
      config: { public: true, seconds: 0, internal: true },
      schema: { hide: true },
      handler: async (request, reply) => {
        reply.hijack();
        try {
          await store.handle?.(request.raw, reply.raw);
        } catch (err) {
          request.log.error({ err }, 'an object could not be served');
          reply.raw.destroy();
        }
      },
    });
  });
}
