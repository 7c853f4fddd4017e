import { ApiError } from '@tunefleet/contracts';
import type { FastifyInstance, FastifyReply } from 'fastify';

/** Seconds in which a client may go on sending a body that was refused already; cut at once it would lose the answer. */
const LINGER_SECONDS = 10;

/** Gives up on a handler that has not begun to answer in time. Uploads (multipart) and answers under way are not cut. */
export function limitTime(app: FastifyInstance, defaultSeconds: number): void {
  const timers = new WeakMap<FastifyReply, NodeJS.Timeout>();
  const stop = async (_request: unknown, reply: FastifyReply) => clearTimeout(timers.get(reply));
  app.addHook('onRequest', async (request, reply) => {
    const seconds = request.routeOptions.config.seconds ?? defaultSeconds;
    if (seconds === 0 || request.headers['content-type']?.startsWith('multipart/')) return;
    const giveUp = () => {
      if (!reply.sent && !reply.raw.headersSent) reply.send(new ApiError('service_unavailable', `No answer within ${seconds} s.`));
    };
    timers.set(reply, setTimeout(giveUp, seconds * 1000).unref());
  });
  app.addHook('onSend', stop);
  app.addHook('onResponse', stop);
  app.addHook('onResponse', async ({ raw }) => {
    // an injected request has no socket of its own
    if (raw.complete || !raw.socket?.destroy || raw.socket.destroyed) return;
    raw.resume();
    const cut = setTimeout(() => raw.destroy(), LINGER_SECONDS * 1000).unref();
    raw.once('end', () => clearTimeout(cut));
  });
  app.addHook('onRequestAbort', async (request) => {
    request.log.debug('the client hung up');
  });
}
