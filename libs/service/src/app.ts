/// <reference types="@fastify/swagger" preserve="true" />
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { LIMITS } from '@tunefleet/contracts';
import Fastify, { type FastifyInstance, type FastifyReply, LogController, type RawServerDefault } from 'fastify';
import type { Registry } from 'prom-client';
import { acceptJson } from './http/body.js';
import { answerErrors, toApiError } from './http/errors.js';
import { answerHealth, type Checks } from './http/health.js';
import { type Authenticate, requireIdentity, signedIdentity } from './http/identity.js';
import { answerMetrics } from './http/metrics.js';
import { answerOpenApi } from './http/openapi.js';
import { parseQuery } from './http/query.js';
import { logRequests, REQUEST_ID_HEADER, requestIds } from './http/request-log.js';
import { limitTime } from './http/time-limit.js';
import type { Logger } from './logger.js';
import { serializerCompiler, validatorCompiler } from './schema/compilers.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Aborts when shutdown begins: streams that follow something end themselves on it. */
    draining: AbortSignal;
    /** Begins to drain: readiness fails, answers close their connections. `runService` calls it. */
    drain(): void;
    /** Prometheus registry of this application. */
    metrics: Registry;
    /** Routes that take a JSON body, with its schema. */
    bodies: { method: string; url: string; schema: object }[];
  }
  interface FastifyContextConfig {
    /** Probes and the like: logged at debug. */
    internal?: boolean;
  }
}

export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse<IncomingMessage>, Logger, TypeBoxTypeProvider>;

export interface AppOptions {
  name: string;
  config: { TUNEFLEET_IDENTITY_KEY: string };
  logger: Logger;
  /** Of the OpenAPI document. */
  title: string;
  /** What must hold for `/health/ready`. */
  checks: Checks;
  /** The gateway's own; services leave it out and get the signed identity. */
  authenticate?: Authenticate;
  /** At the edge request ids are always minted, never taken over. */
  edge?: boolean;
  /** Tests: hold each answer against its response schema, to the last field. */
  checkResponses?: boolean;
  /** Makes the answer of `/openapi.json` of the application's own document. */
  document?: (own: object) => Promise<object>;
  /** Seconds until a handler that has not begun to answer is given up. */
  handlerSeconds?: number;
  /** Seconds within which a request must have arrived whole. Uploads of 512 MB come through slow lines. */
  requestSeconds?: number;
}

/** The Fastify application every service starts from. Routes registered on it have identity, strict bodies and OpenAI's errors. */
export async function createApp(options: AppOptions): Promise<App> {
  const app = Fastify({
    loggerInstance: options.logger,
    genReqId: requestIds(options.edge ?? false),
    // One line a request comes from `logRequests`.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    bodyLimit: LIMITS.jsonBodyBytes,
    requestTimeout: (options.requestSeconds ?? 3600) * 1000,
    connectionTimeout: 0,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    // `inspect` refuses them by name, in records too.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    routerOptions: { maxParamLength: LIMITS.paramLength, querystringParser: parseQuery },
    frameworkErrors: (error, request, reply) => {
      const answer = toApiError(error);
      void (reply as FastifyReply).header(REQUEST_ID_HEADER, request.id).code(answer.status).send(answer.toBody());
    },
    clientErrorHandler: (_error, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    },
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as App;

  const draining = new AbortController();
  app.decorate('draining', draining.signal);
  app.decorate('drain', () => draining.abort());
  app.decorate('bodies', []);
  app.addHook('onRoute', ({ method, url, schema }) => {
    if (schema?.body) app.bodies.push({ method: String(method), url, schema: schema.body as object });
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler(options.checkResponses ?? false));
  app.addHook('onSend', async (_request, reply) => {
    if (draining.signal.aborted) reply.header('connection', 'close');
  });

  const base = app as unknown as FastifyInstance;
  logRequests(base);
  answerErrors(base);
  limitTime(base, options.handlerSeconds ?? 60);
  requireIdentity(base, options.authenticate ?? signedIdentity(options.config.TUNEFLEET_IDENTITY_KEY));
  acceptJson(base);
  await answerOpenApi(base, options.title, options.document);
  answerHealth(base, options.checks);
  answerMetrics(base);
  return app;
}
