import type { App } from '@tunefleet/service';
import { forward, handOn, type Upstreams } from '../proxy/forward.js';
import type { Route } from '../proxy/routing.js';

/** Every path of the services. The scope of the key is held by the service, which knows its routes. */
export function proxiedRoutes(app: App, routes: Route[], upstreams: Upstreams): void {
  void app.register(async (proxied) => {
    // Bodies pass unread.
    proxied.removeAllContentTypeParsers();
    proxied.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const route of routes)
      for (const url of [route.path, `${route.path}/*`])
        proxied.all(url, { config: { scope: 'read', seconds: 0 }, schema: { hide: true } }, async (request, reply) =>
          handOn(await forward(route, upstreams, request, reply), reply),
        );
  });
}
