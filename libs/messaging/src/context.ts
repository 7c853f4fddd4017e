import { AsyncLocalStorage } from 'node:async_hooks';
import { headers, type MsgHdrs } from 'nats';

/** What travels with a piece of work through every service it touches. */
export interface RequestContext {
  requestId: string | null;
  /** W3C trace context, https://www.w3.org/TR/trace-context/ */
  traceparent: string | null;
}

const NONE: RequestContext = { requestId: null, traceparent: null };
const storage = new AsyncLocalStorage<RequestContext>();

/** Requests and events sent within `run` carry this context; handlers of messages run in the sender's. */
export const withContext = <T>(context: RequestContext, run: () => T): T => storage.run(context, run);
export const currentContext = (): RequestContext => storage.getStore() ?? NONE;

export function toHeaders(context: RequestContext): MsgHdrs {
  const result = headers();
  if (context.requestId !== null) result.set('x-request-id', context.requestId);
  if (context.traceparent !== null) result.set('traceparent', context.traceparent);
  return result;
}

export const fromHeaders = (given: MsgHdrs | undefined): RequestContext => ({
  requestId: given?.get('x-request-id') || null,
  traceparent: given?.get('traceparent') || null,
});
