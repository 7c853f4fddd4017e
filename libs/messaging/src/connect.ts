import { ApiError, type RpcMethod, type RpcReply, type RpcRequest } from '@tunefleet/contracts';
import { connect as connectNats, ErrorCode, type Msg, type NatsConnection, NatsError, type Subscription } from 'nats';
import type { Bus, BusOptions, EventName, Logger, RequestOptions } from './bus.js';
import { currentContext, fromHeaders, toHeaders, withContext } from './context.js';
import { Pending } from './pending.js';
import { type Answer, checksOf, fromWireError, toWireError } from './wire.js';

const REQUEST_TIMEOUT_MS = 5000;
/** Responders of a service are registered one after another: its start is told when the last few are. */
const STARTED_MS = 20;
const STARTED = 'control.started';

/** Connects, waiting as long as it takes for the server to be there. */
export async function connect({ url, creds, name, logger, replicas = 1, instance }: BusOptions): Promise<Bus> {
  const split = creds?.indexOf(':') ?? -1;
  if (creds !== undefined && split < 1) throw new Error('NATS_CREDS: expected user:password');
  const user = creds?.slice(0, split);
  const connection = await connectNats({
    servers: url,
    name,
    ...(creds === undefined ? {} : { user: user!, pass: creds.slice(split + 1) }),
    inboxPrefix: `_INBOX.${user ?? name}`,
    waitOnFirstConnect: true,
    // nats.js gives up after 10 attempts and takes minutes to notice a dead peer unless told otherwise.
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    pingInterval: 5000,
    maxPingOut: 2,
  });
  return new NatsBus(connection, name, logger, replicas, instance);
}

class NatsBus implements Bus {
  private up = true;
  private draining: Promise<void> | null = null;
  private readonly reconnectCallbacks = new Set<() => void>();
  private readonly handlers = new Set<Promise<void>>();
  private readonly subscriptions = new Set<Subscription>();
  private readonly pending = new Pending();
  private announcing: NodeJS.Timeout | null = null;

  constructor(
    readonly connection: NatsConnection,
    readonly name: string,
    readonly logger: Logger,
    readonly replicas: number,
    readonly instance: string | undefined,
  ) {
    this.subscribe(`${STARTED}.*`, null, async ({ subject }) => this.pending.again(subject.split('.')[2]));
    this.onReconnect(() => this.pending.again());
    void this.followStatus();
  }

  connected(): boolean {
    return this.up && !this.connection.isClosed();
  }

  onReconnect(callback: () => void): () => void {
    this.reconnectCallbacks.add(callback);
    return () => this.reconnectCallbacks.delete(callback);
  }

  async request<M extends RpcMethod>(method: M, body: RpcRequest<M>, options: RequestOptions = {}): Promise<RpcReply<M>> {
    const { timeoutMs = REQUEST_TIMEOUT_MS, signal } = options;
    signal?.throwIfAborted();
    const checks = checksOf(method);
    checks.request(body);
    const context = currentContext();
    const headers = toHeaders(options.requestId === undefined ? context : { ...context, requestId: options.requestId });
    const data = JSON.stringify(body);
    const answering = this.pending.send(method.split('.')[0] ?? '', timeoutMs, (timeout) =>
      this.connection.request(`rpc.${method}`, data, { timeout, headers }),
    );
    const message = await untilAborted(answering, signal).catch((cause) => {
      throw cause instanceof NatsError ? unavailable(method, cause) : cause;
    });
    const answer = message.json<Answer>();
    if ('error' in answer) throw fromWireError(answer.error);
    checks.reply(answer.ok);
    return answer.ok as RpcReply<M>;
  }

  respond<M extends RpcMethod>(
    method: M,
    handler: (body: RpcRequest<M>, context: { requestId: string | null }) => Promise<RpcReply<M>>,
  ): void {
    if (!method.startsWith(`${this.name}.`)) throw new Error(`${this.name} cannot answer ${method}: it belongs to another service`);
    const checks = checksOf(method);
    const answer = async (message: Msg): Promise<Answer> => {
      const context = fromHeaders(message.headers);
      try {
        const body = message.json<RpcRequest<M>>();
        checks.request(body);
        const ok = await withContext(context, () => handler(body, { requestId: context.requestId }));
        checks.reply(ok);
        return { ok };
      } catch (error) {
        if (!(error instanceof ApiError) || error.status >= 500)
          this.logger.error({ err: error, method, requestId: context.requestId }, 'request failed');
        return { error: toWireError(error) };
      }
    };
    this.subscribe(`rpc.${method}`, this.name, async (message) => {
      message.respond(JSON.stringify(await answer(message)));
    });
    this.announce();
  }

  /** Says that this service answers (again): what its predecessor left unanswered is asked anew. */
  private announce(): void {
    this.announcing ??= setTimeout(() => {
      this.announcing = null;
      if (!this.connection.isClosed()) this.connection.publish(`${STARTED}.${this.name}`);
    }, STARTED_MS);
  }

  emit(event: EventName, body: object): void {
    if (!event.startsWith(`${this.name}.`)) throw new Error(`${this.name} cannot emit ${event}: it belongs to another service`);
    if (this.connection.isClosed()) return;
    this.connection.publish(`events.${event}`, JSON.stringify(body), { headers: toHeaders(currentContext()) });
  }

  on(event: EventName, handler: (body: unknown) => void | Promise<void>): () => void {
    const subscription = this.subscribe(`events.${event}`, null, async (message) => {
      await withContext(fromHeaders(message.headers), async () => handler(message.json()));
    });
    return () => {
      this.subscriptions.delete(subscription);
      subscription.unsubscribe();
    };
  }

  drain(): Promise<void> {
    this.draining ??= this.drainOnce();
    return this.draining;
  }

  private async drainOnce(): Promise<void> {
    // A drain while NATS is away would wait for it: what is pending then is lost anyway.
    if (this.up) await Promise.allSettled([...this.subscriptions].map((subscription) => subscription.drain()));
    await Promise.allSettled([...this.handlers]);
    if (this.connected()) await this.connection.drain();
    else await this.connection.close();
  }

  private subscribe(subject: string, queue: string | null, handle: (message: Msg) => Promise<void>): Subscription {
    const subscription = this.connection.subscribe(subject, {
      ...(queue === null ? {} : { queue }),
      callback: (error, message) => {
        if (error) {
          this.logger.error({ err: error, subject }, 'subscription failed');
          return;
        }
        const handling = handle(message)
          .catch((failure: unknown) => this.logger.error({ err: failure, subject }, 'handler failed'))
          .finally(() => this.handlers.delete(handling));
        this.handlers.add(handling);
      },
    });
    this.subscriptions.add(subscription);
    return subscription;
  }

  private async followStatus(): Promise<void> {
    for await (const { type, data } of this.connection.status()) {
      if (type === 'disconnect') {
        this.up = false;
        this.logger.warn({ server: String(data) }, 'NATS connection lost');
      } else if (type === 'reconnect') {
        this.up = true;
        this.logger.info({ server: String(data) }, 'NATS connection is back');
        for (const callback of this.reconnectCallbacks) callback();
      } else if (type === 'error') {
        this.logger.error({ error: String(data) }, 'NATS reports an error');
      }
    }
    this.up = false;
  }
}

function unavailable(method: string, cause: NatsError): ApiError {
  const service = method.split('.')[0];
  if (cause.code === ErrorCode.NoResponders)
    return new ApiError('service_unavailable', `The ${service} service is not running just now.`, { cause });
  if (cause.code === ErrorCode.Timeout)
    return new ApiError('service_unavailable', `The ${service} service did not answer in time.`, { cause });
  if (cause.code === ErrorCode.MaxPayloadExceeded) return new ApiError('internal_error', `The request ${method} is too large.`, { cause });
  return new ApiError('service_unavailable', `The ${service} service cannot be reached: ${cause.message}`, { cause });
}

/** The promise, or the signal's reason as soon as it aborts. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
