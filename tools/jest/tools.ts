import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

interface Tools {
  natsServer?: string;
  webgpuDriver?: { folder: string; manifest: string } | { reason: string };
  s3?: { kind: 'url' } | { kind: 'docker' } | { kind: 'versitygw'; path: string } | { kind: 'none'; reason: string };
}

/** What `node tools/setup.mjs --tests` found. */
export const readTools = (): Tools => {
  try {
    return JSON.parse(readFileSync(join(repository, 'node_modules', '.cache', 'tunefleet', 'tools.json'), 'utf8')) as Tools;
  } catch {
    return {};
  }
};
