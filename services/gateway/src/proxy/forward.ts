import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import { Transform } from 'node:stream';
import { ApiError, signIdentity } from '@tunefleet/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { towardsClient, towardsService } from './headers.js';
import type { Route } from './routing.js';

export interface Upstreams {
  http: Agent;
  https: SecureAgent;
  identityKey: string;
}

/** Idle connections are given up well before the services close them (72 s): a request sent into a closing one would fail. */
export const openUpstreams = (identityKey: string): Upstreams => ({
  http: new Agent({ keepAlive: true, timeout: 30_000, scheduling: 'lifo' }),
  https: new SecureAgent({ keepAlive: true, timeout: 30_000, scheduling: 'lifo' }),
  identityKey,
});

const CONNECT_MS = 3000;

const tooLarge = (route: Route) =>
  new ApiError(route.tooLarge, `The request body is larger than ${route.bytes} bytes, the most that ${route.path} accepts.`);

/** Lets bytes through until there are more than the route takes; a body without Content-Length is known no earlier. */
const limited = (route: Route): Transform => {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > route.bytes) done(tooLarge(route));
      else done(null, chunk);
    },
  });
};

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';

/**
 * Sends the request to its service as it came: path and query byte for byte, body as a stream. Resolves with the service's answer once its
 * headers are there. Never tried again here: only the client knows whether it wants that. A client that hangs up ends the service's request.
 */
export async function forward(
  route: Route,
  { http, https, identityKey }: Upstreams,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<IncomingMessage> {
  const { raw } = request;
  if (Number(raw.headers['content-length'] ?? 0) > route.bytes) throw tooLarge(route);
  const secure = route.origin.protocol === 'https:';
  const away = (cause: unknown) =>
    new ApiError('service_unavailable', `The ${route.service} service cannot be reached just now. Try again shortly.`, { cause });

  return new Promise<IncomingMessage>((resolve, reject) => {
    const upstream = (secure ? httpsRequest : httpRequest)({
      agent: secure ? https : http,
      protocol: route.origin.protocol,
      hostname: route.origin.hostname.replace(/^\[|\]$/g, ''),
      port: route.origin.port,
      method: raw.method,
      path: raw.url,
      headers: towardsService(raw.headers, signIdentity(request.identity, identityKey), request.id),
    });
    let answered = false;
    const connecting = setTimeout(() => upstream.destroy(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
    let answering: NodeJS.Timeout | undefined;
    const settle = () => {
      clearTimeout(connecting);
      clearTimeout(answering);
    };
    const fail = (error: ApiError) => {
      settle();
      upstream.destroy();
      if (!answered) reject(error);
    };
    const late = () =>
      fail(new ApiError('service_unavailable', `The ${route.service} service did not begin to answer within ${route.seconds} s.`));
    upstream.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => clearTimeout(connecting));
      else clearTimeout(connecting);
    });
    upstream.on('finish', () => {
      if (!answered) answering = setTimeout(late, route.seconds * 1000);
    });
    upstream.on('error', (error) => fail(away(error)));
    upstream.on('response', (response) => {
      answered = true;
      settle();
      resolve(response);
    });
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) fail(away(new Error('the client hung up')));
    });
    if (!hasBody(raw)) {
      upstream.end();
      return;
    }
    const limit = limited(route).on('error', (error) => fail(error as ApiError));
    raw.pipe(limit).pipe(upstream);
    // An answer that comes before the body is through (a refusal): the rest of the body is not wanted.
    upstream.on('response', () => {
      if (raw.complete) return;
      raw.unpipe(limit);
      raw.resume();
    });
  });
}

/** The service's answer handed on as a stream. */
export function handOn(response: IncomingMessage, reply: FastifyReply): FastifyReply {
  reply.code(response.statusCode ?? 502);
  for (const [name, value] of Object.entries(towardsClient(response.headers))) if (value !== undefined) reply.header(name, value);
  // Headers leave with the first byte of the body; a stream of events may be silent for long before its first one.
  if (response.headers['content-type']?.startsWith('text/event-stream'))
    setImmediate(() => {
      if (reply.raw.hasHeader('content-type') && !reply.raw.headersSent) reply.raw.flushHeaders();
    });
  return reply.send(response);
}
