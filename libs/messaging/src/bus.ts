import type { RpcMethod, RpcReply, RpcRequest } from '@tunefleet/contracts';
import type { NatsConnection } from 'nats';

/** What pino's loggers are, as far as libraries need them. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface BusOptions {
  url: string;
  /** `user:password`; absent for a server without users. */
  creds?: string | undefined;
  /** The service's name: owner of `rpc.<name>.*` and `events.<name>.*`. */
  name: string;
  logger: Logger;
  /** Copies that JetStream keeps of buckets and streams made over this connection; 3 on a cluster of servers. Default 1. */
  replicas?: number | undefined;
  /** Name of this process that its successor takes over, where whoever starts it gives one (`TUNEFLEET_INSTANCE`). */
  instance?: string | undefined;
}

export interface RequestOptions {
  /** Default 5,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
  requestId?: string;
}

export type EventName = `${string}.${string}`;

/** One connection of one service to NATS. It reconnects for ever. */
export interface Bus {
  readonly name: string;
  readonly logger: Logger;
  readonly replicas: number;
  readonly instance: string | undefined;
  /** For `libs/records` and `libs/jobs` alone. */
  readonly connection: NatsConnection;
  /**
   * Throws ApiError: the responder's own code, or `service_unavailable` when nobody answers in time. Sent again when the service or NATS was
   * restarted meanwhile: every method is idempotent.
   */
  request<M extends RpcMethod>(method: M, body: RpcRequest<M>, options?: RequestOptions): Promise<RpcReply<M>>;
  /** Answer a method `<name>.<method>` of this service; its replicas share the requests. ApiErrors travel to the caller, others become `internal_error`. */
  respond<M extends RpcMethod>(
    method: M,
    handler: (body: RpcRequest<M>, context: { requestId: string | null }) => Promise<RpcReply<M>>,
  ): void;
  /** A hint, `<name>.<event>`, that may be lost: whoever needs the truth asks. */
  emit(event: EventName, body: object): void;
  /** Follow `<service>.<event>` (NATS wildcards allowed). Returns the end of it. */
  on(event: EventName, handler: (body: unknown) => void | Promise<void>): () => void;
  connected(): boolean;
  /** Called after each reconnect, the connection being usable. Returns the end of it. */
  onReconnect(callback: () => void): () => void;
  /** Takes no more messages, waits for running handlers, sends what is pending, closes. */
  drain(): Promise<void>;
}
