import type { FastifyInstance } from 'fastify';

export type Checks = Record<string, () => boolean | Promise<boolean>>;

/** A check that takes longer counts as failed: a probe must be answered within Kubernetes' default of 1 s. */
const CHECK_MS = 800;

async function passes(check: () => boolean | Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, CHECK_MS, false);
  });
  try {
    return await Promise.race([Promise.resolve(check()), late]);
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/** `/health/live` depends on nothing; `/health/ready` on every check, and is 503 while the process drains. */
export function answerHealth(app: FastifyInstance, checks: Checks): void {
  const options = { config: { public: true, internal: true }, schema: { hide: true } };
  app.get('/health/live', options, async () => ({ status: 'ok' }));
  app.get('/health/ready', options, async (_request, reply) => {
    const results = await Promise.all(Object.entries(checks).map(async ([name, check]) => [name, await passes(check)] as const));
    const ready = !app.draining.aborted && results.every(([, passed]) => passed);
    const status = app.draining.aborted ? 'draining' : ready ? 'ok' : 'unavailable';
    return reply.code(ready ? 200 : 503).send({ status, checks: Object.fromEntries(results) });
  });
}
