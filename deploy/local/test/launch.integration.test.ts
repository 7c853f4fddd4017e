import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from '@jest/globals';
import { NATS_MISSING, natsServerPath } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { isAlive, TestFolder, until } from './launcher.js';

const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);

let folder: TestFolder;
beforeEach(() => {
  folder = new TestFolder();
});
afterEach(() => folder.remove());

const NAMES = ['gateway', 'launcher', 'model-registry', 'nats-server', 'trainer-pod-1'];

const answers = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(url, { headers: { connection: 'close' } })).ok;
  } catch {
    return false;
  }
};

test('SIGTERM drains gateway, then pods, then services, exits 0 and leaves no process and no pid file', async () => {
  const order = join(folder.path, 'order');
  const launcher = folder.start({ TEST_ORDER_FILE: order });
  await launcher.ready();
  const pids = folder.pids();
  expect(Object.keys(pids).sort()).toEqual(NAMES);
  launcher.child.kill('SIGTERM');
  expect(await launcher.ended).toBe(0);
  expect(Object.values(pids).filter(isAlive)).toEqual([]);
  expect(folder.pids()).toEqual({});
  expect(readFileSync(order, 'utf8')).toBe('gateway\ntrainer-pod\nmodel-registry\n');
  expect(launcher.stderr).toBe('');
});

test('a second start on the same folder is refused and names pid and folder', async () => {
  const first = folder.start();
  await first.ready();
  const second = folder.start();
  expect(await second.ended).toBe(1);
  expect(second.stderr).toContain(`pid ${first.child.pid}`);
  expect(second.stderr).toContain(folder.path);
  expect(second.stdout).toBe('');
  expect(isAlive(folder.pids()['gateway'] ?? 0)).toBe(true);
});

test('a process killed with -9 is started again on the same port, nats-server too', async () => {
  const { url } = await folder.start().ready();
  const before = folder.pids();
  for (const name of ['gateway', 'model-registry', 'trainer-pod-1', 'nats-server']) process.kill(before[name] ?? 0, 'SIGKILL');
  await until(() => {
    const now = folder.pids();
    return NAMES.every((name) => name === 'launcher' || (now[name] !== undefined && now[name] !== before[name]));
  });
  await until(() => answers(`${url}/health/ready`));
  expect(folder.pids()['launcher']).toBe(before['launcher']);
});

test('one that ends again and again is started with growing delays', async () => {
  const { url } = await folder.start().ready();
  for (let time = 0; time < 4; time += 1) {
    await until(() => answers(url));
    await answers(`${url}/exit`);
  }
  const delays = (): unknown[] =>
    readFileSync(join(folder.path, 'logs', 'launcher.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { inMs?: number }).inMs)
      .filter((delay) => delay !== undefined);
  await until(() => delays().length >= 4);
  expect(delays()).toEqual([100, 200, 400, 800]);
});

test('after kill -9 of the launcher its services end by themselves, and the next start works', async () => {
  const first = folder.start();
  await first.ready();
  const before = folder.pids();
  first.child.kill('SIGKILL');
  expect(await first.ended).toBe('SIGKILL');
  await until(() => ['gateway', 'model-registry', 'trainer-pod-1'].every((name) => !isAlive(before[name] ?? 0)));
  const { url, key } = await folder.start().ready();
  expect(isAlive(before['nats-server'] ?? 0)).toBe(false);
  expect(await answers(url)).toBe(true);
  expect(key).toBe('(unchanged)');
});

test('what hangs on after kill -9 of the launcher is ended by the next start, a foreign process on a stale pid is not', async () => {
  const first = folder.start({ TEST_DEAF: '1' });
  await first.ready();
  const before = folder.pids();
  first.child.kill('SIGKILL');
  await first.ended;
  const stranger = spawn('sleep', ['60']);
  writeFileSync(join(folder.path, 'run', 'training-ftjob-1.pid'), `${stranger.pid}\n`);
  try {
    await folder.start().ready();
    expect(
      Object.values(before)
        .filter((pid) => pid !== first.child.pid)
        .filter(isAlive),
    ).toEqual([]);
    expect(isAlive(stranger.pid ?? 0)).toBe(true);
    expect(folder.pids()['training-ftjob-1']).toBeUndefined();
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('everything killed with -9 at once: the next start works', async () => {
  const first = folder.start();
  await first.ready();
  for (const pid of Object.values(folder.pids())) process.kill(pid, 'SIGKILL');
  await first.ended;
  await folder.start().ready();
  expect(Object.keys(folder.pids()).sort()).toEqual(NAMES);
});

test('the admin key is made once, printed once, and replaced by the one given', async () => {
  const run = async (env: Record<string, string> = {}): Promise<[string, string]> => {
    const launcher = folder.start(env);
    const { url, key } = await launcher.ready();
    const gateway = (await (await fetch(`${url}/env`)).json()) as Record<string, string>;
    launcher.child.kill('SIGTERM');
    expect(await launcher.ended).toBe(0);
    return [key, readFileSync(gateway['TUNEFLEET_API_KEY_FILE'] ?? '', 'utf8')];
  };
  const [shown, made] = await run();
  expect(shown).toBe(made);
  expect(made.length).toBeGreaterThanOrEqual(43);
  expect(await run()).toEqual(['(unchanged)', made]);
  expect(await run({ TUNEFLEET_API_KEY: 'a-key-of-my-own!' })).toEqual(['(TUNEFLEET_API_KEY)', 'a-key-of-my-own!']);
  expect(await run()).toEqual(['(unchanged)', 'a-key-of-my-own!']);
});

test('secrets are readable by their owner alone; only owners of objects are told of the folder; foreign credentials stay out', async () => {
  const foreign = { AWS_SECRET_ACCESS_KEY: 'theirs', NATS_URL: 'nats://elsewhere', TUNEFLEET_API_KEY: 'a-key-of-my-own!' };
  const { url } = await folder.start(foreign).ready();
  for (const name of ['identity-key', 'api-key', 'nats-gateway', 'nats-trainer-pod']) {
    expect(statSync(join(folder.path, 'secrets', name)).mode & 0o777).toBe(0o600);
  }
  expect(statSync(join(folder.path, 'nats', 'nats.conf')).mode & 0o777).toBe(0o600);
  const read = async (base: string): Promise<Record<string, string>> =>
    (await (await fetch(`${base}/env`)).json()) as Record<string, string>;
  const gateway = await read(url);
  const registry = await read(gateway['TUNEFLEET_MODEL_REGISTRY_URL'] ?? '');
  expect(gateway['TUNEFLEET_OBJECTS']).toBeUndefined();
  expect(registry['TUNEFLEET_OBJECTS']).toBe(join(folder.path, 'objects'));
  for (const env of [gateway, registry]) {
    expect(env['AWS_SECRET_ACCESS_KEY']).toBeUndefined();
    expect(env['TUNEFLEET_API_KEY']).toBeUndefined();
    expect(env['NATS_URL']).toMatch(/^nats:\/\/127\.0\.0\.1:\d+$/);
    expect(existsSync(env['TMPDIR'] ?? '')).toBe(true);
  }
});

test('a service that cannot start is named with the end of its log, and nothing stays behind', async () => {
  const launcher = folder.start({ TEST_ENTRY: 'crash.mjs' });
  expect(await launcher.ended).toBe(1);
  expect(launcher.stderr).toContain('ended 5 times before it was ready');
  expect(launcher.stderr).toContain('no such setting: TEST');
  expect(folder.pids()).toEqual({});
});

test('SIGTERM during the start ends it', async () => {
  const launcher = folder.start();
  await until(() => existsSync(join(folder.path, 'run', 'nats-server.pid')));
  launcher.child.kill('SIGTERM');
  expect(await launcher.ended).toBe(0);
  expect(folder.pids()).toEqual({});
  expect(launcher.stdout).toBe('');
});

test('a key that is too short and a port that is in use are refused with what to do', async () => {
  const short = folder.start({ TUNEFLEET_API_KEY: 'short' });
  expect([await short.ended, short.stderr]).toEqual([1, expect.stringContaining('TUNEFLEET_API_KEY')]);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = String((taken.address() as AddressInfo).port);
  const second = folder.start({ TUNEFLEET_PORT: port });
  expect([await second.ended, second.stderr]).toEqual([1, expect.stringContaining(`port ${port} is in use; set TUNEFLEET_PORT`)]);
  taken.close();
});
