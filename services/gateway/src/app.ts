import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import { ApiError } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { type App, createApp, type Logger } from '@tunefleet/service';
import type { GatewayConfig } from './config.js';
import { identify } from './domain/authenticate.js';
import { openUpstreams } from './proxy/forward.js';
import { routing } from './proxy/routing.js';
import { apiKeyRoutes } from './routes/api-keys.js';
import { docsRoutes } from './routes/docs.js';
import { fleetDocument } from './routes/openapi.js';
import { proxiedRoutes } from './routes/proxied.js';
import { unsupportedRoutes } from './routes/unsupported.js';
import type { KeyStore } from './store/keys.js';

export interface GatewayParts {
  config: GatewayConfig;
  logger: Logger;
  bus: Bus;
  keys: KeyStore;
  checkResponses?: boolean;
}

/** Wrong keys that one address may try in a minute. */
const WRONG_KEYS = 300;

const tooMany = (seconds: number) =>
  new ApiError('rate_limit_exceeded', `Rate limit reached. Try again in ${seconds} s.`, { retryAfterSeconds: seconds });

/** The one origin: keys, limits and documents are its own, everything else is handed to the services. */
export async function gatewayApp({ config, logger, bus, keys, checkResponses = false }: GatewayParts): Promise<App> {
  const routes = routing(config);
  const upstreams = openUpstreams(config.TUNEFLEET_IDENTITY_KEY);
  let countWrongKey: ReturnType<App['createRateLimit']> | undefined;
  const app = await createApp({
    name: 'gateway',
    config,
    logger,
    title: 'Tunefleet',
    checks: { nats: () => bus.connected(), keys: () => keys.ready() },
    edge: true,
    checkResponses,
    document: fleetDocument(routes, logger),
    authenticate: async (request) => {
      try {
        return identify(request.headers, keys);
      } catch (error) {
        const count = error instanceof ApiError && error.code === 'invalid_api_key' ? await countWrongKey?.(request) : undefined;
        throw count && !count.isAllowed && count.isExceeded ? tooMany(count.ttlInSeconds) : error;
      }
    },
  });
  await app.register(helmet, {
    contentSecurityPolicy: { directives: { 'style-src': ["'self'", "'unsafe-inline'"], 'upgrade-insecure-requests': null } },
  });
  await app.register(rateLimit, {
    max: config.TUNEFLEET_RATE_LIMIT,
    timeWindow: '1 minute',
    keyGenerator: (request) => request.identity?.keyId ?? request.ip,
    allowList: (request) => request.routeOptions.config.public === true,
    errorResponseBuilder: (_request, { ttl }) => tooMany(Math.max(1, Math.ceil(ttl / 1000))),
  });
  countWrongKey = app.createRateLimit({ max: WRONG_KEYS, timeWindow: '1 minute', keyGenerator: (request) => request.ip });
  apiKeyRoutes(app, bus, keys);
  docsRoutes(app);
  unsupportedRoutes(app);
  proxiedRoutes(app, routes, upstreams);
  app.addHook('onClose', async () => {
    upstreams.http.destroy();
    upstreams.https.destroy();
  });
  return app;
}
