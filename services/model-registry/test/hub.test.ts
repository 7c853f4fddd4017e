import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { openHub } from '../src/domain/imports/hub.js';
import { COMMIT, type HubServer, startHub } from './hub-server.js';

// The hub itself cannot be reached from where tests run: a server on this machine has its addresses.
let hub: HubServer;
let folder: string;
beforeAll(async () => {
  hub = await startHub();
});
afterAll(() => hub.close());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunefleet-hub-'));
  hub.asked.length = 0;
  hub.redirect = null;
  hub.files = { 'config.json': Buffer.from('{}'), 'model.safetensors': Buffer.from('weights'), 'README.md': Buffer.from('#') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fetchFrom = (endpoint: string | undefined, repo = 'owner/model', revision = 'main', adapter = false): Promise<void> =>
  openHub(endpoint).fetch(repo, revision, { folder, adapter, signal: new AbortController().signal });
const failure = { code: 'import_failed' };

test('the model files of one commit are fetched, others are not', async () => {
  await fetchFrom(hub.url, 'owner/model', 'refs/pr/1');
  expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
  expect(readFileSync(join(folder, 'model.safetensors'), 'utf8')).toBe('weights');
  expect(hub.asked[0]).toBe('/api/models/owner/model/revision/refs/pr/1');
  expect(hub.asked.slice(1).filter((path) => !path.includes(COMMIT) && !path.startsWith('/storage/'))).toEqual([]);
});

test('a repository of one GGUF file gives that file, of several none', async () => {
  hub.files = { 'a.gguf': Buffer.from('GGUF'), 'README.md': Buffer.from('#') };
  await fetchFrom(hub.url);
  expect(readdirSync(folder)).toEqual(['a.gguf']);
  hub.files = { 'a.gguf': Buffer.from('1'), 'b.gguf': Buffer.from('2') };
  await expect(fetchFrom(hub.url)).rejects.toMatchObject({
    ...failure,
    message: expect.stringContaining('several GGUF files (a.gguf, b.gguf)'),
  });
});

test('of an adapter its own files are fetched; it is not taken for a model', async () => {
  hub.files = Object.fromEntries(
    ['adapter_config.json', 'adapter_model.safetensors', 'tokenizer.json', 'config.json'].map((name) => [name, Buffer.from('x')]),
  );
  await fetchFrom(hub.url, 'owner/model', 'main', true);
  expect(readdirSync(folder).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'tokenizer.json']);
  delete hub.files['config.json'];
  await expect(fetchFrom(hub.url)).rejects.toMatchObject({ ...failure, message: expect.stringContaining('is a PEFT adapter') });
  hub.files = { 'config.json': Buffer.from('{}') };
  await expect(fetchFrom(hub.url, 'owner/model', 'main', true)).rejects.toMatchObject({
    ...failure,
    message: expect.stringContaining('has no adapter_config.json'),
  });
});

test('what is not there is named', async () => {
  await expect(fetchFrom(hub.url, 'owner/other')).rejects.toMatchObject({
    ...failure,
    message: expect.stringContaining('answered with 404'),
  });
});

test('a name that leaves the folder is never asked for', async () => {
  hub.files = { ...hub.files, '../../model-1-of-2.safetensors': Buffer.from('x'), 'sub/config.json': Buffer.from('x') };
  await fetchFrom(hub.url);
  expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
});

test.each([
  ['another host', () => 'https://example.com/model'],
  ['a host that only ends alike', () => 'https://evilhf.co/model'],
  ['plain http', () => 'http://cdn.hf.co/model'],
  ['another port', () => 'https://cdn.hf.co:8443/model'],
  ['an address of a metadata service', () => 'http://169.254.169.254/latest'],
  ['a file', () => 'file:///etc/passwd'],
])('a redirect to %s is refused', async (_name, redirect) => {
  hub.redirect = redirect;
  await expect(fetchFrom(hub.url)).rejects.toMatchObject({
    ...failure,
    message: expect.stringContaining('not an address that imports may come from'),
  });
});

test('redirects without end are refused', async () => {
  hub.redirect = (name) => `/owner/model/resolve/${COMMIT}/${name}`;
  await expect(fetchFrom(hub.url)).rejects.toMatchObject({ ...failure, message: expect.stringContaining('redirects too often') });
});
