/** What tells a request sent again from a second wish: made from HTTP by `onceRequest` of service, read by `createOnce` of records. */
export interface OnceRequest {
  project: string;
  keyId: string;
  method: string;
  path: string;
  /** Of the raw bytes of JSON; of a multipart body's fields and its files' names and sha256, never the boundary. */
  bodyHash: string;
  /** Header `Idempotency-Key`. */
  idempotencyKey: string | null;
  /** Header `x-stainless-retry-count`; 0 without it. */
  retryCount: number;
}
