import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';

export interface StoredObject {
  key: string;
  bytes: number;
  modified: Date;
}

/** Size and lower-case hex SHA-256 of what was stored or transferred. */
export interface Digest {
  bytes: number;
  sha256: string;
}

export type SignedMethod = 'GET' | 'PUT';

/**
 * Objects by key, on a local folder or an S3 bucket. Everything streams in bounded memory. A key is made of segments
 * (see `checkKey`); no key may be the parent of another (`a` beside `a/b`), because a folder cannot hold both.
 * Throws `ObjectMissing` where the key has no object, `ApiError` `service_unavailable` where the store does not answer.
 */
export interface ObjectStore {
  /** Stores or replaces whole: when the source fails, `signal` aborts or the process dies, the key holds what it held before. */
  put(key: string, source: Readable | Uint8Array, options?: { signal?: AbortSignal }): Promise<Digest>;
  /** Bytes `start` to `end`, both included and counted from 0; all of them by default. */
  get(key: string, range?: { start?: number; end?: number; signal?: AbortSignal }): Promise<Readable>;
  head(key: string): Promise<{ bytes: number } | null>;
  /** All objects below a prefix (`''`, or ending in `/`), in byte order of their keys. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** An absent key is no error. */
  delete(key: string): Promise<void>;
  /** Deletes all objects below a prefix that ends in `/`. */
  deletePrefix(prefix: string): Promise<void>;
  /** A URL by which its bearer may do this one thing to this one object, for at most 900 s. */
  sign(method: SignedMethod, key: string, seconds: number): Promise<string>;
  ready(): Promise<boolean>;
  /** Removes what killed processes left half-written: temporary files after an hour, multipart uploads after a day. Answers how many. */
  sweep(): Promise<number>;
  /** Folder stores only: serves the URLs that `sign` makes, at `GET` and `PUT /objects/*`; the request's body must be unread. */
  handle?(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

export class ObjectMissing extends Error {
  constructor(readonly key: string) {
    super(`no object at ${key}`);
    this.name = 'ObjectMissing';
  }
}
