import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from '@jest/globals';
import type { ApiError, BaseModelObject, BaseModelSource } from '@tunefleet/contracts';
import { type Bus, connect } from '@tunefleet/messaging';
import { openSafetensors, weightsSha256Of } from '@tunefleet/model-formats';
import { openObjectStore } from '@tunefleet/object-store';
import { createLogger } from '@tunefleet/service';
import {
  NATS_MISSING,
  type NatsTestServer,
  natsServerPath,
  type S3TestServer,
  s3Missing,
  startNatsServer,
  startS3Server,
} from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { repository } from '../../../tools/jest/tools.js';
import { filesBelow, identity, makeFolder, removeFolder, ServiceProcess, until } from '../../dataset/test/fleet.js';
import { type HubServer, startHub } from './hub-server.js';

const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);
const BASE = join(repository, 'base-models', 'tunefleet-base');
const FILES = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const GGUF = readFileSync(join(repository, 'libs', 'model-import', 'test', 'fixtures', 'tiny.gguf'));

let nats: NatsTestServer;
let folder: string;
let hub: HubServer;
let service: ServiceProcess;
/** Asks as other services do; nobody answers for dataset, whose files acceptance tests import. */
let peer: Bus;

const environment = () => ({
  ...{
    NATS_URL: nats.url,
    TMPDIR: folder,
    TUNEFLEET_HF_ENDPOINT: hub.url,
    TUNEFLEET_LEASE_MS: '1500',
    TUNEFLEET_INSTANCE: 'registry-test',
  },
  TUNEFLEET_OBJECTS: join(folder, 'objects'),
});

beforeAll(async () => {
  if (natsServerPath() === undefined) return;
  folder = await makeFolder();
  [nats, hub] = await Promise.all([startNatsServer(), startHub()]);
  hub.files = Object.fromEntries(FILES.map((name) => [name, readFileSync(join(BASE, name))]));
  service = new ServiceProcess('model-registry', environment());
  await service.start();
  peer = await connect({ url: nats.url, name: 'trainer', logger: createLogger('test', 'silent') });
}, 60_000);

afterAll(async () => {
  await service?.end('SIGKILL');
  await peer?.drain();
  hub?.close();
  await nats?.close();
  if (folder) await removeFolder(folder);
});

async function call(method: string, path: string, body?: unknown, of = service) {
  const response = await fetch(`${of.url}/v1${path}`, {
    method,
    headers: { ...identity(), ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: response.status, body: (await response.json()) as BaseModelObject };
}

const start = (name: string, source: BaseModelSource = { type: 'hf', repo: 'owner/model' }, of = service) =>
  call('POST', '/base_models', { name, source }, of);
const startAdapter = (name: string, base: string) =>
  call('POST', '/base_models', { name, base, source: { type: 'hf', repo: 'owner/model' } });
const ended = (name: string, of = service): Promise<BaseModelObject> =>
  until(async () => {
    const { body } = await call('GET', `/base_models/${name}`, undefined, of);
    return body.status === 'ready' || body.status === 'failed' ? body : undefined;
  });
const stored = async () => (await filesBelow(join(folder, 'objects'))).filter((path) => path.startsWith('default/models/'));
const resolved = (model: string) => peer.request('model-registry.resolve_model', { project: 'default', model });

test('a repository of the hub becomes a base with the same weights', async () => {
  expect(await start('from-hub')).toMatchObject({ status: 201, body: { id: 'from-hub', object: 'base_model', error: null } });
  expect(await ended('from-hub')).toMatchObject({ status: 'ready', error: null });
  const model = await resolved('from-hub');
  expect(model).toMatchObject({ kind: 'base', base: 'from-hub', project: 'default', default_adapter: 'lora' });
  expect(model.files.map(({ path }) => path).sort()).toEqual(FILES);
  const [config] = model.files;
  const answer = await fetch(config?.url ?? '');
  expect(Buffer.from(await answer.arrayBuffer()).equals(readFileSync(join(BASE, config?.path ?? '')))).toBe(true);
});

test('a GGUF file of the hub is converted', async () => {
  hub.files = { 'tiny.gguf': GGUF };
  await start('tiny');
  expect(await ended('tiny')).toMatchObject({ status: 'ready' });
  expect((await resolved('tiny')).files.map(({ path }) => path)).toContain('chat_template.jinja');
});

test('a PEFT folder stays an adapter over its base, and is a base itself', async () => {
  const fixtures = join(repository, 'libs', 'models', 'test', 'fixtures');
  const read = (folder: string, names: string[]) =>
    Object.fromEntries(names.map((name) => [name, readFileSync(join(fixtures, folder, name))]));
  const tokenizer = readFileSync(join(repository, 'libs', 'tokenization', 'test', 'fixtures', 'tiny', 'tokenizer.json'));
  hub.files = { ...read('tiny-llama', ['config.json', 'model.safetensors']), 'tokenizer.json': tokenizer };
  await start('plain');
  expect(await ended('plain')).toMatchObject({ status: 'ready' });
  hub.files = read('adapters/patterns', ['adapter_config.json', 'adapter_model.safetensors']);
  expect((await startAdapter('adapted', 'nobody')).body.error).toMatchObject({ code: 'model_not_found', param: 'base' });
  const before = (await stored()).length;
  await startAdapter('adapted', 'plain');
  expect(await ended('adapted')).toMatchObject({ status: 'ready', error: null });
  expect(await stored()).toHaveLength(before + 2);
  const [plain, adapted] = await Promise.all([resolved('plain'), resolved('adapted')]);
  const { parameters, weights_sha256: base_weights_sha256 } = plain;
  expect(adapted).toMatchObject({
    kind: 'base',
    base: 'adapted',
    parameters,
    base_weights_sha256,
    default_adapter: 'lora',
    head: 'language_model',
  });
  const paths = (files: typeof plain.adapter) => files?.map(({ path }) => path).sort();
  expect([paths(adapted.files), paths(adapted.adapter)]).toEqual([
    paths(plain.files),
    ['adapter_config.json', 'adapter_model.safetensors'],
  ]);
  const weights = await openSafetensors(join(fixtures, 'adapters/patterns/adapter_model.safetensors'));
  expect(adapted.weights_sha256).toBe(await weightsSha256Of(weights));
  await weights.close();
  expect((await call('GET', '/models/adapted')).body).toMatchObject({ tunefleet: { kind: 'base', adapter_of: 'plain' } });
  expect((await startAdapter('twice', 'adapted')).body.error).toMatchObject({ code: 'not_supported', param: 'base' });
  expect((await call('DELETE', '/base_models/plain')).body.error).toMatchObject({ code: 'model_in_use', param: 'name' });
  await start('no-base');
  expect((await ended('no-base')).error).toMatchObject({ code: 'import_failed', message: expect.stringContaining('is a PEFT adapter') });
  await startAdapter('unfit', 'from-hub');
  expect((await ended('unfit')).error).toMatchObject({ code: 'invalid_model', message: expect.stringContaining('(invalid_shape)') });
  await call('DELETE', '/base_models/adapted');
  expect(await stored()).toHaveLength(before);
  expect((await call('DELETE', '/base_models/plain')).status).toBe(200);
});

test('a classifier of another family is a base too', async () => {
  const bert = join(repository, 'libs', 'models', 'test', 'fixtures', 'tiny-bert-classifier');
  hub.files = {
    ...Object.fromEntries(['config.json', 'model.safetensors'].map((name) => [name, readFileSync(join(bert, name))])),
    'tokenizer.json': readFileSync(join(repository, 'libs', 'tokenization', 'test', 'fixtures', 'tiny', 'tokenizer.json')),
  };
  await start('classifier');
  expect(await ended('classifier')).toMatchObject({ status: 'ready', error: null });
  expect(await resolved('classifier')).toMatchObject({ kind: 'base', head: 'classifier', default_adapter: 'full' });
});

test('kill -9 at any moment of an import: it ends all the same, once, with nothing left over', async () => {
  hub.files = Object.fromEntries(FILES.map((name) => [name, readFileSync(join(BASE, name))]));
  const before = (await stored()).length;
  for (const [index, wait] of [0, 40, 150, 300, 450, 600, 800].entries()) {
    await start(`killed-${index}`);
    await sleep(wait);
    await service.end('SIGKILL');
    await service.start();
    expect(await ended(`killed-${index}`)).toMatchObject({ status: 'ready', error: null });
    expect((await resolved(`killed-${index}`)).base_weights_sha256).toBe((await resolved('from-hub')).base_weights_sha256);
    expect(await stored()).toHaveLength(before + FILES.length);
    const deleting = call('DELETE', `/base_models/killed-${index}`).catch(() => null);
    await sleep(index * 3);
    await service.end('SIGKILL');
    await service.start();
    await deleting;
    if ((await call('GET', `/base_models/killed-${index}`)).status === 200) await call('DELETE', `/base_models/killed-${index}`);
    await until(async () => (await stored()).length === before);
    expect((await call('GET', `/base_models/killed-${index}`)).status).toBe(404);
    await expect(resolved(`killed-${index}`)).rejects.toMatchObject({ code: 'model_not_found' } satisfies Partial<ApiError>);
  }
  const scratch = await filesBelow(join(folder, 'tunefleet-model-registry'));
  expect(scratch.filter((path) => !path.startsWith(String(service.pid)))).toEqual([]);
}, 120_000);

const spoiled = (change: (bytes: Buffer) => Buffer): Record<string, Uint8Array> => ({ 'tiny.gguf': change(Buffer.from(GGUF)) });
const withPart = (name: string, bytes: Uint8Array) => ({
  ...Object.fromEntries(FILES.map((file) => [file, readFileSync(join(BASE, file))])),
  [name]: bytes,
});

test.each<[string, () => Record<string, Uint8Array>, string, string]>([
  ['a GGUF file cut short', () => spoiled((bytes) => bytes.subarray(0, 20_000)), 'invalid_model', '(truncated)'],
  [
    'a GGUF file of another version',
    () => spoiled((bytes) => Buffer.concat([bytes.subarray(0, 4), Buffer.from([2]), bytes.subarray(5)])),
    'not_supported',
    'GGUF version 2',
  ],
  ['a GGUF file that is none', () => spoiled(() => Buffer.from('not at all')), 'invalid_model', '(not_gguf)'],
  [
    'weights that are a pickle',
    () => withPart('model.safetensors', Buffer.from([0x80, 2, 0x63, 1, 1, 1, 1, 1, 1])),
    'invalid_model',
    '(pickle)',
  ],
  [
    'weights cut short',
    () => withPart('model.safetensors', readFileSync(join(BASE, 'model.safetensors')).subarray(0, 1_000_000)),
    'invalid_model',
    '(truncated)',
  ],
  ['a config that is no JSON', () => withPart('config.json', Buffer.from('{')), 'invalid_model', '(invalid_config)'],
  [
    'another architecture',
    () => withPart('config.json', Buffer.from('{"model_type":"t5","architectures":["T5"]}')),
    'not_supported',
    '"t5"',
  ],
  ['a tokenizer that is none', () => withPart('tokenizer.json', Buffer.from('{}')), 'invalid_model', '(invalid_tokenizer)'],
  ['no model at all', () => ({ 'README.md': Buffer.from('#') }), 'import_failed', 'neither a config.json nor a GGUF file'],
])('%s: the import fails and says why; the name is free again', async (_name, files, code, message) => {
  const before = await stored();
  hub.files = files();
  await start('faulty');
  expect((await ended('faulty')).error).toEqual({ code, message: expect.stringContaining(message), param: 'source' });
  expect(await stored()).toEqual(before);
});

const s3 = skipUnless(
  natsServerPath() !== undefined && s3Missing() === undefined,
  natsServerPath() === undefined ? NATS_MISSING : (s3Missing() ?? ''),
);
s3("a folder of the project in the fleet's own bucket is imported, another project's is refused", async () => {
  const server: S3TestServer = await startS3Server();
  const { endpoint, region, accessKeyId, secretAccessKey, bucket } = server;
  const own = await startNatsServer();
  const { TUNEFLEET_OBJECTS: _folder, ...env } = environment();
  const registry = new ServiceProcess('model-registry', {
    ...{ ...env, NATS_URL: own.url, AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId },
    ...{ AWS_SECRET_ACCESS_KEY: secretAccessKey, TUNEFLEET_BUCKET: bucket },
  });
  try {
    const objects = await openObjectStore({ endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey, bucket });
    for (const name of FILES) await objects.put(`default/incoming/model/${name}`, readFileSync(join(BASE, name)));
    await registry.start();
    await start('from-bucket', { type: 's3', uri: `s3://${bucket}/default/incoming/model` }, registry);
    expect(await ended('from-bucket', registry)).toMatchObject({ status: 'ready', error: null });
    for (const uri of [`s3://${bucket}/other/incoming`, `s3://${bucket}/default/../other`, 's3://elsewhere/default/x', `s3://${bucket}/`]) {
      const refused = await start('refused', { type: 's3', uri }, registry);
      expect([uri, refused.status, refused.body.error]).toEqual([
        uri,
        400,
        expect.objectContaining({ code: 'invalid_value', param: 'source.uri' }),
      ]);
    }
  } finally {
    await registry.end('SIGKILL');
    await own.close();
    await server.close();
  }
});
