import { ApiError, allows, IDENTITY_HEADER, type Identity, type Scope, verifyIdentity } from '@tunefleet/contracts';
import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Smallest scope of key that may call the route; without it GET needs `read`, any other method `write`. */
    scope?: Scope;
    /** Answers without identity. */
    public?: boolean;
    /** Seconds until a handler that has not begun to answer is given up with 503; 0: no limit. Default 60. */
    seconds?: number;
  }
  interface FastifyRequest {
    /** Who calls. Absent on public routes. */
    identity: Identity;
    /** sha256 (hex) of the raw JSON body; null where there was none. */
    bodyHash: string | null;
  }
}

export type Authenticate = (request: FastifyRequest) => Identity | Promise<Identity>;

/** What services do behind the gateway: only its signature counts. */
export const signedIdentity =
  (key: string): Authenticate =>
  (request) => {
    const header = request.headers[IDENTITY_HEADER];
    const identity = verifyIdentity(typeof header === 'string' ? header : undefined, key);
    if (!identity) throw new ApiError('invalid_api_key', 'This service answers requests that carry the identity signed by the gateway.');
    return identity;
  };

/** Establishes `request.identity` before anything of the body is read, and holds its scope against the route's. */
export function requireIdentity(app: FastifyInstance, authenticate: Authenticate): void {
  app.decorateRequest('identity', null as unknown as Identity);
  app.addHook('onRequest', async (request) => {
    const { config } = request.routeOptions;
    if (request.is404 || config.public) return;
    request.identity = await authenticate(request);
    const needs = config.scope ?? (request.method === 'GET' ? 'read' : 'write');
    const { scope } = request.identity;
    if (!allows(scope, needs))
      throw new ApiError('insufficient_scope', `This API key has the scope '${scope}'; ${request.method} here needs '${needs}'.`);
  });
}
