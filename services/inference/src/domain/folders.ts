import { createHash } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectLink } from '@tunefleet/contracts';
import { download } from '@tunefleet/object-store';

/** Name of the folder that holds exactly these files. */
export const folderName = (files: readonly ObjectLink[]): string =>
  createHash('sha256')
    .update(JSON.stringify(files.map(({ path, sha256 }) => [path, sha256]).sort()))
    .digest('hex')
    .slice(0, 32);

const present = async (file: string, bytes: number): Promise<boolean> => (await stat(file).catch(() => null))?.size === bytes;

/** Model folders below TMPDIR, fetched by signed URLs; a file appears only when it is whole and has the sha256 that was promised. */
export class Folders {
  constructor(private readonly root: string) {}

  async fetch(files: readonly ObjectLink[]): Promise<string> {
    const folder = join(this.root, folderName(files));
    await mkdir(folder, { recursive: true });
    for (const file of files) {
      const target = join(folder, file.path);
      if (!(await present(target, file.bytes))) await download(file, target);
    }
    return folder;
  }

  async remove(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
  }
}
