import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { cacheFolder, toolLock } from './cache.mjs';
import { command } from './command.mjs';
import { withLock } from './lock.mjs';
import { say } from './progress.mjs';

export const VERSITYGW_VERSION = '1.8.0';
const FILE = process.platform === 'win32' ? 'versitygw.exe' : 'versitygw';

/** Rejects unless a Docker engine answers a ping: a client without a daemon is common. */
export const pingDocker = () =>
  new Promise((resolve, reject) => {
    const host = process.env.DOCKER_HOST || 'unix:///var/run/docker.sock';
    const where = host.startsWith('unix://')
      ? { socketPath: host.slice('unix://'.length) }
      : { hostname: new URL(host).hostname, port: new URL(host).port };
    const ping = request({ ...where, path: '/_ping', timeout: 3000 }, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`${host} answered ${response.statusCode}`));
    });
    ping.on('timeout', () => ping.destroy(new Error(`${host} does not answer`)));
    ping.on('error', (error) => reject(new Error(`no Docker engine at ${host} (${error.code ?? error.message})`)));
    ping.end();
  });

const versitygw = async () => {
  const name = `versitygw-${VERSITYGW_VERSION}`;
  const path = join(cacheFolder(), name, FILE);
  if (existsSync(path)) return path;
  return withLock(toolLock(name), `the build of ${name}`, async () => {
    if (existsSync(path)) return path;
    say(`building ${name} with go, an S3 server for the tests (about three minutes, once a machine)`);
    const temporary = mkdtempSync(join(cacheFolder(), `${name}-`));
    try {
      const module = `github.com/versity/versitygw/cmd/versitygw@v${VERSITYGW_VERSION}`;
      await command('go', ['install', module], { env: { GOBIN: temporary }, seconds: 1200 });
      mkdirSync(join(cacheFolder(), name), { recursive: true });
      renameSync(join(temporary, FILE), path);
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
    return path;
  });
};

/**
 * How the tests get a real S3 server: `{kind: 'url'}` (TUNEFLEET_TEST_S3_URL), `{kind: 'docker'}`, `{kind: 'versitygw', path}`, or
 * `{kind: 'none', reason}`, which is printed: the tests that need one then count as skipped.
 */
export const s3Server = async () => {
  if (process.env.TUNEFLEET_TEST_S3_URL) return { kind: 'url' };
  const failures = ['TUNEFLEET_TEST_S3_URL: not set'];
  try {
    await pingDocker();
    return { kind: 'docker' };
  } catch (error) {
    failures.push(`Docker: ${error.message}`);
  }
  try {
    return { kind: 'versitygw', path: await versitygw() };
  } catch (error) {
    failures.push(`go install of versitygw: ${error.message}`);
  }
  const reason = failures.join('; ');
  say(`no S3 server for the tests. ${reason}`);
  return { kind: 'none', reason };
};
