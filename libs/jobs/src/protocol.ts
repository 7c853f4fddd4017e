import { ApiError, type jobsProtocol, type RpcReply, type RpcRequest } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';

/** Services that own durable work. */
export type WorkService = 'dataset' | 'trainer' | 'evaluator' | 'model-registry';

type Methods = keyof typeof jobsProtocol;
/** Bodies are the same for every owner. */
export type JobsRequest<M extends Methods> = RpcRequest<`trainer.${M}`>;
export type JobsReply<M extends Methods> = RpcReply<`trainer.${M}`>;

export type JobsHandlers = { [M in Methods]: (body: JobsRequest<M>) => Promise<JobsReply<M>> };

const owners = new WeakMap<Bus, Map<string, JobsHandlers>>();

/** Lets the owner of some queues answer workers. A service with several kinds of records has an owner for each, told apart by queue. */
export function respondFor(bus: Bus, service: WorkService, queues: readonly string[], handlers: JobsHandlers): void {
  let byQueue = owners.get(bus);
  if (!byQueue) {
    byQueue = new Map();
    owners.set(bus, byQueue);
    const known = byQueue;
    const respond = <M extends Methods>(method: M) =>
      bus.respond(
        `${service}.${method}` as `trainer.${M}`,
        (async (body: JobsRequest<M>) => {
          const owner = known.get(body.queue);
          if (!owner) throw new ApiError('not_found', `${service} has no queue ${body.queue}.`);
          return owner[method](body as never);
        }) as never,
      );
    for (const method of [
      'jobs_begin',
      'jobs_claim',
      'jobs_heartbeat',
      'jobs_progress',
      'jobs_complete',
      'jobs_fail',
      'jobs_yield',
    ] as const)
      respond(method);
  }
  for (const queue of queues) {
    if (!/^[-\w]+$/.test(queue)) throw new Error(`queue ${queue}: letters, digits, - and _ only`);
    if (byQueue.has(queue)) throw new Error(`queue ${queue} of ${service} has an owner already`);
    byQueue.set(queue, handlers);
  }
}

export const ask = <M extends Methods>(
  bus: Bus,
  service: WorkService,
  method: M,
  body: JobsRequest<M>,
  timeoutMs = 5000,
): Promise<JobsReply<M>> => bus.request(`${service}.${method}` as `trainer.${M}`, body as never, { timeoutMs }) as Promise<JobsReply<M>>;
