// SmolLM2-135M-Instruct as a Hugging Face folder in float32 (538 MB), for tests and benchmarks; types: smollm2-folder.d.mts. It is made from the GGUF file of
// the model package by our own import, once a machine, in the tools cache.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { modelPackage } from './model-packages.mjs';
import { cacheFolder, root, toolLock } from './setup/cache.mjs';
import { withLock } from './setup/lock.mjs';

/** What decides what is written: another folder where it changed, so that checkouts do not take each other's away. */
const SOURCES = ['libs/model-import/dist', 'libs/model-formats/dist/gguf', 'libs/tokenization/dist/gguf'];

const version = () => {
  const hash = createHash('sha256');
  for (const folder of SOURCES) {
    for (const name of readdirSync(join(root, folder)).filter((file) => file.endsWith('.js')))
      hash.update(readFileSync(join(root, folder, name)));
  }
  return hash.digest('hex').slice(0, 12);
};

export const smolLm2Folder = async () => {
  const { path, missing } = modelPackage('smolLm2');
  if (path === undefined) throw new Error(missing);
  const folder = join(cacheFolder(), `smollm2-135m-instruct-${version()}`);
  if (existsSync(folder)) return folder;
  return withLock(toolLock('smollm2-folder'), 'the conversion of SmolLM2', async () => {
    if (existsSync(folder)) return folder;
    const { convertGguf } = await import('../libs/model-import/dist/index.js');
    const temporary = mkdtempSync(join(cacheFolder(), 'model-'));
    try {
      await convertGguf(path, join(temporary, 'model'));
      renameSync(join(temporary, 'model'), folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    return folder;
  });
};
