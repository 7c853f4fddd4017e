import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { dirname } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ObjectLink } from '@tunefleet/contracts';
import type { Digest } from './object-store.js';
import { Source } from './source.js';

const ATTEMPTS = 4;
const BASE_DELAY_MS = 200;
const IDLE_MS = 30_000; // no byte for this long: the peer is gone

/** The other end answered, but not with success. `status` 403: the URL has expired or was never good; 404: no such object. */
export class TransferRefused extends Error {
  constructor(
    readonly status: number,
    method: string,
  ) {
    super(`${method} of an object was answered with ${status}`); // never the URL: it is a credential
    this.name = 'TransferRefused';
  }
}

/** The bytes are not those that were promised. */
export class DigestMismatch extends Error {
  constructor(expected: string, found: string) {
    super(`expected sha256 ${expected}, found ${found}`);
    this.name = 'DigestMismatch';
  }
}

type Options = { signal?: AbortSignal };

function exchange(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: string | null,
  { signal }: Options,
): Promise<{ response: IncomingMessage; sent: Digest | null }> {
  return new Promise((resolve, reject) => {
    const open = url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = open(url, { method, headers, ...(signal ? { signal } : {}) });
    let sent: Digest | null = null;
    request.setTimeout(IDLE_MS, () => request.destroy(Object.assign(new Error('no byte for 30 s'), { code: 'ETIMEDOUT' })));
    request.on('error', reject).on('response', (response) => resolve({ response, sent }));
    if (body === null) request.end();
    else {
      const hash = createHash('sha256');
      let bytes = 0;
      const meter = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          bytes += chunk.length;
          done(null, chunk);
        },
        flush(done) {
          sent = { bytes, sha256: hash.digest('hex') };
          done();
        },
      });
      pipeline(createReadStream(body), meter, request).catch(reject);
    }
  });
}

async function repeated<T>(run: () => Promise<T>, { signal }: Options): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      const final = error instanceof DigestMismatch || (error instanceof TransferRefused && error.status < 500);
      if (final || attempt === ATTEMPTS || signal?.aborted || (error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
      await sleep(BASE_DELAY_MS * 2 ** attempt, undefined, signal ? { signal } : {});
    }
  }
}

/**
 * Fetches an object by its signed URL into `file`, which appears only when whole (and, for an ObjectLink, when its sha256 is
 * right). Faults of the network are tried again; an expired URL is `TransferRefused` 403.
 */
export function download(from: string | ObjectLink, file: string, options: Options = {}): Promise<Digest> {
  const { url, sha256 } = typeof from === 'string' ? { url: from, sha256: null } : from;
  return repeated(async () => {
    const { response } = await exchange('GET', url, {}, null, options);
    if (response.statusCode !== 200) {
      response.resume();
      throw new TransferRefused(response.statusCode ?? 0, 'GET');
    }
    await mkdir(dirname(file), { recursive: true });
    const draft = `${file}.${randomBytes(6).toString('hex')}.part`;
    const source = new Source(response, options.signal);
    try {
      const target = await open(draft, 'wx');
      try {
        for await (const chunk of source) await target.appendFile(chunk);
        await target.sync();
      } finally {
        await target.close();
      }
      const digest = source.digest();
      if (sha256 !== null && digest.sha256 !== sha256) throw new DigestMismatch(sha256, digest.sha256);
      await rename(draft, file);
      return digest;
    } finally {
      source.destroy();
      await rm(draft, { force: true });
    }
  }, options);
}

/** Sends a file to a signed PUT URL; the answer is its size and sha256 as they were sent. */
export function upload(url: string, file: string, options: Options = {}): Promise<Digest> {
  return repeated(async () => {
    const { size } = await stat(file);
    const headers = { 'content-length': String(size), 'content-type': 'application/octet-stream' };
    const { response, sent } = await exchange('PUT', url, headers, file, options);
    response.resume();
    if (response.statusCode !== 200) throw new TransferRefused(response.statusCode ?? 0, 'PUT');
    if (!sent || sent.bytes !== size) throw new Error(`the answer came before all of ${size} bytes were sent`);
    return sent;
  }, options);
}
