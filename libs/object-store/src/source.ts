import { createHash } from 'node:crypto';
import { addAbortSignal, Readable } from 'node:stream';
import type { Digest } from './object-store.js';

/**
 * Reads a source once, counting and hashing. A stream that fails, hangs up or is aborted makes the iteration throw; its
 * 'error' event is always listened to, also before the first read, so that it never becomes an uncaughtException.
 */
export class Source implements AsyncIterable<Uint8Array> {
  private readonly hash = createHash('sha256');
  private readonly stream: Readable;
  private count = 0;

  constructor(source: Readable | Uint8Array, signal?: AbortSignal) {
    this.stream = source instanceof Readable ? source : Readable.from([source], { objectMode: true });
    this.stream.on('error', () => {});
    if (signal) addAbortSignal(signal, this.stream);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.stream as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      this.count += bytes.length;
      this.hash.update(bytes);
      yield bytes;
    }
  }

  /** Stops reading a source that nobody will finish. */
  destroy(): void {
    this.stream.destroy();
  }

  digest(): Digest {
    return { bytes: this.count, sha256: this.hash.digest('hex') };
  }
}
