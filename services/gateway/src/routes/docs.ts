import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { App } from '@tunefleet/service';

const require = createRequire(import.meta.url);

const FILES: Record<string, string> = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
};

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Tunefleet API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png"></head>
<body><div id="ui"></div><script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body>
</html>
`;
const START = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true });\n`;

/** `/docs`: Swagger UI's own files streamed from its package; the plugin that ships them would stay in memory for a page few open. */
export function docsRoutes(app: App): void {
  const folder = join(dirname(require.resolve('@fastify/swagger-ui')), 'static');
  const options = { config: { public: true, internal: true }, schema: { hide: true } };
  app.get('/docs', options, async (_request, reply) => reply.type('text/html; charset=utf-8').send(PAGE));
  app.get('/docs/start.js', options, async (_request, reply) => reply.type('text/javascript').send(START));
  for (const [name, type] of Object.entries(FILES))
    app.get(`/docs/${name}`, options, async (_request, reply) =>
      reply
        .type(type)
        .header('cache-control', 'public, max-age=86400')
        .send(createReadStream(join(folder, name))),
    );
}
