import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** A file of the archive; its size is known before its bytes are. */
export interface TarFile {
  path: string;
  bytes: number;
  read(): AsyncIterable<Uint8Array>;
}

/** The files as a tar stream, one after the other as they are read from it; the same files give the same bytes. `done` runs at its end, also when it breaks off. */
export function tarOf(files: readonly TarFile[], modified: Date, done: () => Promise<void>): Readable {
  const archive = pack();
  const stream = new PassThrough();
  const write = async (): Promise<void> => {
    for (const { path, bytes, read } of files) {
      const entry = archive.entry({ name: path, size: bytes, mtime: modified, mode: 0o644, uid: 0, gid: 0 });
      await pipeline(Readable.from(read(), { objectMode: false }), entry);
    }
    archive.finalize();
  };
  const broken = (error: Error): void => {
    archive.destroy(error);
  };
  void pipeline(archive, stream)
    .catch(() => undefined) // the reader went away, or sees the error itself
    .then(done);
  write().catch(broken);
  return stream;
}
