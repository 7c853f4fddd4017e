import type { IncomingMessage } from 'node:http';
import { mintId } from '@tunefleet/contracts';
import type { FastifyInstance } from 'fastify';

export const REQUEST_ID_HEADER = 'x-request-id';

/** The id handed on by the gateway; a new one at the edge, where the client's own word is not taken. */
export const requestIds =
  (mintOnly: boolean) =>
  (request: IncomingMessage): string => {
    const given = request.headers[REQUEST_ID_HEADER];
    return !mintOnly && typeof given === 'string' && /^[\w-]{1,128}$/.test(given) ? given : mintId('request');
  };

const JOB_PARAMS = ['job_id', 'fine_tuning_job_id', 'jobId'];

/** Every answer carries the request id; one line a request, with project, key and job. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.header(REQUEST_ID_HEADER, request.id);
    const params = (request.params ?? {}) as Record<string, string | undefined>;
    const job = JOB_PARAMS.map((name) => params[name]).find((id) => id !== undefined) ?? params['id'];
    if (job?.startsWith('ftjob-')) {
      request.log = request.log.child({ job });
      reply.log = request.log;
    }
  });
  app.addHook('onResponse', async (request, reply) => {
    const internal = request.routeOptions.config.internal === true;
    const line = {
      method: request.method,
      path: request.raw.url?.split('?')[0],
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      project: request.identity?.project,
      key_id: request.identity?.keyId,
    };
    request.log[internal ? 'debug' : 'info'](line, 'request');
  });
}
