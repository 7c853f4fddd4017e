#!/usr/bin/env node
// `npm run test:webgpu`: the suite of WebGPU in a child process that finds the software driver which set-up fetched.
import { spawnSync } from 'node:child_process';
import { root } from './setup/cache.mjs';
import { webgpuEnvironment } from './test/webgpu-environment.mjs';

const args = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', '--selectProjects', 'webgpu', '--runInBand'];
const { status } = spawnSync(process.execPath, [...args, ...process.argv.slice(2)], {
  cwd: root,
  env: { ...process.env, ...webgpuEnvironment() },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
