import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

let shared: Registry | undefined;
/** Metrics of the process: one set however many applications it holds, begun when first asked for. */
const processMetrics = (): Registry => {
  if (!shared) {
    shared = new Registry();
    collectDefaultMetrics({ register: shared });
  }
  return shared;
};

/** Prometheus metrics by route pattern, never by path: ids would be labels without bound. Own metrics go to `app.metrics`. */
export function answerMetrics(app: FastifyInstance): void {
  const register = new Registry();
  const labelNames = ['method', 'route', 'status'];
  const requests = new Counter({ name: 'tunefleet_http_requests_total', help: 'Requests answered.', labelNames, registers: [register] });
  const duration = new Histogram({
    name: 'tunefleet_http_request_duration_seconds',
    help: 'Seconds from the first byte of a request to the end of its answer.',
    labelNames,
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600],
    registers: [register],
  });
  app.decorate('metrics', register);
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown';
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    requests.inc(labels);
    duration.observe(labels, reply.elapsedTime / 1000);
  });
  app.get('/metrics', { config: { public: true, internal: true }, schema: { hide: true } }, async (_request, reply) => {
    const parts = await Promise.all([register.metrics(), processMetrics().metrics()]);
    return reply.type(register.contentType).send(parts.join('\n'));
  });
}
