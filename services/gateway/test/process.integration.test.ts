import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, jest } from '@jest/globals';
import { type NatsTestServer, startNatsServer } from '../../../tools/jest/servers.js';
import { IDENTITY_KEY, natsIsThere, test } from './fleet.js';

// Processes start slowly where several suites share a machine.
jest.setTimeout(60_000);

const server = fileURLToPath(new URL('../dist/server.js', import.meta.url));
const away = 'http://127.0.0.1:9';
let nats: NatsTestServer;
const children: ChildProcess[] = [];
beforeAll(async () => {
  if (!natsIsThere) return;
  nats = await startNatsServer();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await nats?.close();
});

async function start(extra: Record<string, string> = {}): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(server, {
    silent: true,
    env: {
      NATS_URL: nats.url,
      TUNEFLEET_IDENTITY_KEY: IDENTITY_KEY,
      TUNEFLEET_DATASET_URL: away,
      TUNEFLEET_TRAINER_URL: away,
      TUNEFLEET_EVALUATOR_URL: away,
      TUNEFLEET_MODEL_REGISTRY_URL: away,
      TUNEFLEET_INFERENCE_URL: away,
      ...extra,
    },
  });
  children.push(child);
  const [{ url }] = (await once(child, 'message')) as [{ url: string }];
  return { child, url };
}

const status = async (url: string, key?: string) =>
  (await fetch(url, key === undefined ? {} : { headers: { authorization: `Bearer ${Buffer.from(key).toString('latin1')}` } })).status;

test('keys live on over kill -9; readiness follows NATS; SIGTERM exits 0', async () => {
  const first = await start({ TUNEFLEET_API_KEY: 'the first admin key' });
  expect(await status(`${first.url}/v1/api_keys`, 'the first admin key')).toBe(200);
  const died = once(first.child, 'exit');
  first.child.kill('SIGKILL');
  await died;

  const second = await start();
  expect(await status(`${second.url}/v1/api_keys`, 'the first admin key')).toBe(200);
  expect(await status(`${second.url}/health/ready`)).toBe(200);
  await nats.kill();
  let ready = 200;
  for (let tries = 0; ready === 200 && tries < 2000; tries++) ready = await status(`${second.url}/health/ready`);
  expect(ready).toBe(503);
  expect(await status(`${second.url}/health/live`)).toBe(200);
  await nats.start();
  await expect(
    (async () => {
      while ((await status(`${second.url}/health/ready`)) !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
      return 'ready again';
    })(),
  ).resolves.toBe('ready again');

  const third = await start({ TUNEFLEET_API_KEY: 'the second admin key: ünïcode' });
  expect(await status(`${third.url}/v1/api_keys`, 'the first admin key')).toBe(401);
  expect(await status(`${third.url}/v1/api_keys`, 'the second admin key: ünïcode')).toBe(200);
  for (const { child } of [second, third]) {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  }
});

test('a faulty environment is told by name, and the process exits 1', async () => {
  const child = fork(server, { silent: true, env: { PORT: 'x', NATS_URL: nats.url } });
  children.push(child);
  let text = '';
  child.stderr!.on('data', (chunk) => {
    text += chunk;
  });
  expect(await once(child, 'exit')).toEqual([1, null]);
  expect(text).toMatch(/PORT: expected an integer; TUNEFLEET_IDENTITY_KEY is required .*TUNEFLEET_DATASET_URL is required/);
});
