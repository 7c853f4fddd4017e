import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { IDENTITY_HEADER } from '@tunefleet/contracts';
import { REQUEST_ID_HEADER } from '@tunefleet/service';

/** RFC 9110, 7.6.1: for one connection only. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
];
/** The client's credentials end here, and what only we may say is never taken from it. */
const OURS = [
  'authorization',
  'cookie',
  'host',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  IDENTITY_HEADER,
  REQUEST_ID_HEADER,
];

function without(headers: IncomingHttpHeaders, names: string[]): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...names, ...named]);
  return Object.fromEntries(Object.entries(headers).filter(([name, value]) => value !== undefined && !dropped.has(name)));
}

/** What the service gets: the client's headers less credentials, with the signed identity and the request id. */
export const towardsService = (headers: IncomingHttpHeaders, identity: string, requestId: string): OutgoingHttpHeaders => ({
  // Content-Length counts even where a Connection header names it: without it the body's end would be guessed.
  ...without(headers, [...HOP_BY_HOP, ...OURS]),
  ...(headers.host === undefined ? {} : { 'x-forwarded-host': headers.host }),
  ...(headers['content-length'] === undefined ? {} : { 'content-length': headers['content-length'] }),
  [IDENTITY_HEADER]: identity,
  [REQUEST_ID_HEADER]: requestId,
});

/** What the client gets. The request id stands on the answer already. */
export const towardsClient = (headers: IncomingHttpHeaders): OutgoingHttpHeaders =>
  without(headers, [...HOP_BY_HOP, REQUEST_ID_HEADER, 'set-cookie']);
