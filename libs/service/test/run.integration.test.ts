import { type ChildProcess, fork, type StdioPipe } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Processes start slowly where several suites share a machine.
jest.setTimeout(60_000);

import { afterAll, afterEach, expect, jest, test } from '@jest/globals';

const dist = new URL('../dist/index.js', import.meta.url).href;
const program = `
import { createApp, createLogger, runService } from ${JSON.stringify(dist)};
const logger = createLogger('t', 'info');
const config = { PORT: 0, HOST: '127.0.0.1', TUNEFLEET_IDENTITY_KEY: 'k'.repeat(32) };
const app = await createApp({ name: 't', config, logger, title: 't', checks: {} });
app.get('/slow', { config: { public: true } }, async () => { process.send('arrived'); await new Promise((r) => setTimeout(r, 400)); return { done: true }; });
app.get('/follow', { config: { public: true } }, async (_q, reply) => {
  reply.hijack();
  reply.raw.writeHead(200, {}).write('a');
  process.send('arrived');
  app.draining.addEventListener('abort', () => reply.raw.end('z'));
});
app.get('/hang', { config: { public: true, seconds: 0 } }, async () => { process.send('arrived'); return new Promise(() => undefined); });
await runService({ name: 't', config, logger, app, httpSeconds: 1, phases: [
  { name: 'first', seconds: 1, run: async () => undefined },
  { name: 'stuck', seconds: 0.2, run: () => new Promise(() => undefined) },
  { name: 'failing', seconds: 1, run: async () => { throw new Error('no') } },
  { name: 'last', seconds: 1, run: async () => console.log('{"last":true}') },
] });
`;
const folder = mkdtempSync(join(tmpdir(), 'run-'));
const file = join(folder, 'service.mjs');
writeFileSync(file, program);
const children: ChildProcess[] = [];
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});

test('a parent that dies before the service listens takes it along', async () => {
  const early = join(folder, 'early.mjs');
  writeFileSync(early, `import ${JSON.stringify(dist)}; setInterval(() => undefined, 1000); process.send('up');`);
  const child = fork(early);
  children.push(child);
  await once(child, 'message');
  const exit = once(child, 'exit');
  child.disconnect();
  expect(await exit).toEqual([0, null]);
});

async function start(): Promise<{ child: ChildProcess; url: string; out: () => string }> {
  const child = fork(file, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] as StdioPipe[] as ['ignore', 'pipe', 'pipe', 'ipc'] });
  children.push(child);
  let out = '';
  child.stdout!.on('data', (chunk) => {
    out += chunk;
  });
  const [message] = (await once(child, 'message')) as [{ url: string }];
  return { child, url: message.url, out: () => out };
}

const agent = new Agent({ keepAlive: true });
const get = (url: string) =>
  new Promise<{ body: string; connection: string | undefined }>((resolve, reject) => {
    request(url, { agent }, async (response) => {
      let body = '';
      try {
        for await (const chunk of response) body += chunk;
        resolve({ body, connection: response.headers.connection });
      } catch (error) {
        reject(error);
      }
    })
      .on('error', reject)
      .end();
  });

test('SIGTERM: requests under way are finished, followers end, every phase runs though one hangs and one fails, exit 0', async () => {
  const { child, url, out } = await start();
  await get(`${url}/health/live`);
  const followed = get(`${url}/follow`);
  await once(child, 'message');
  const slow = get(`${url}/slow`);
  await once(child, 'message');
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await slow).toMatchObject({ body: '{"done":true}', connection: 'close' });
  expect((await followed).body).toBe('az');
  expect(await exit).toEqual([0, null]);
  expect(out()).toMatch(/"phase":"stuck".*took longer than 0.2 s/);
  expect(out()).toMatch(/"phase":"failing"/);
  expect(out()).toContain('{"last":true}');
});

test('a request that never ends is cut after its time; the process still exits 0', async () => {
  const { child, url } = await start();
  const hanging = get(`${url}/hang`).catch(() => 'cut');
  await once(child, 'message');
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await hanging).toBe('cut');
  expect(await exit).toEqual([0, null]);
});

test('the closing of the IPC channel is SIGTERM', async () => {
  const { child } = await start();
  const exit = once(child, 'exit');
  child.disconnect();
  expect(await exit).toEqual([0, null]);
});
