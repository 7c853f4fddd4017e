import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { closeSchema } from '../schema/close.js';

/** `/openapi.json` from the routes' own schemas; bodies stand there closed, as they are checked. Await it before routes are added. */
export async function answerOpenApi(app: FastifyInstance, title: string, document?: (own: object) => Promise<object>): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version: '1.0.0' },
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }],
    },
    transform: ({ schema, url }) => {
      const body = schema?.body as object | undefined;
      return { schema: body ? { ...schema, body: closeSchema(body) } : (schema ?? {}), url };
    },
  });
  app.get('/openapi.json', { config: { public: true, internal: true }, schema: { hide: true } }, async () =>
    document ? document(app.swagger()) : app.swagger(),
  );
}
