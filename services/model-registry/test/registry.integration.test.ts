import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { ApiError, type ArtifactManifest, IDENTITY_HEADER, type RpcReply, type Scope, signIdentity } from '@tunefleet/contracts';
import { type Bus, connect } from '@tunefleet/messaging';
import { openLlamaFolder, readLoraFolder } from '@tunefleet/model-formats';
import { type ObjectStore, openObjectStore } from '@tunefleet/object-store';
import { type App, createLogger } from '@tunefleet/service';
import { extract } from 'tar-stream';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { buildApp } from '../src/app.js';
import { registerBundled } from '../src/domain/bundled.js';
import { openHub } from '../src/domain/imports/hub.js';
import { type Imports, openImports } from '../src/domain/imports/imports.js';
import { openStore, type Store } from '../src/store/records.js';

const BASE = join(import.meta.dirname, '../../../libs/models/test/fixtures/tiny-llama');
const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);
const key = 'k'.repeat(32);
const logger = createLogger('model-registry', 'silent');

let nats: NatsTestServer;
let bus: Bus;
let evaluator: Bus;
let objects: ObjectStore;
let store: Store;
let imports: Imports;
let app: App;
let folder: string;
let url: string;
let results: RpcReply<'evaluator.get_results'>['results'] = [];

beforeAll(async () => {
  if (natsServerPath() === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'tunefleet-registry-'));
  cpSync(BASE, join(folder, 'bases', 'tiny'), { recursive: true });
  writeFileSync(join(folder, 'bases', 'tiny', 'tokenizer.json'), '{}');
  nats = await startNatsServer();
  bus = await connect({ url: nats.url, name: 'model-registry', logger });
  evaluator = await connect({ url: nats.url, name: 'evaluator', logger });
  evaluator.respond('evaluator.get_results', async ({ eval: id, weights_sha256 }) => {
    if (id !== 'eval_a') throw new ApiError('eval_not_found', 'no');
    return { results: results.filter((r) => weights_sha256.includes(r.weights_sha256)) };
  });
  objects = await openObjectStore({ folder: join(folder, 'objects'), url: () => url, signingKey: key });
  store = await openStore(bus);
  await registerBundled(join(folder, 'bases'), objects, store.bases, logger);
  imports = await openImports({ bus, objects, store, hub: openHub(), scratch: folder, leaseMs: 15_000 });
  app = await buildApp({
    config: {
      TUNEFLEET_LEASE_MS: 15_000,
      PORT: 0,
      HOST: '127.0.0.1',
      LOG_LEVEL: 'silent',
      NATS_URL: nats.url,
      TUNEFLEET_IDENTITY_KEY: key,
    },
    logger,
    bus,
    objects,
    store,
    imports,
  });
  url = await app.listen({ port: 0, host: '127.0.0.1' });
});

afterAll(async () => {
  if (!app) return;
  await app.close();
  await imports.drain();
  await Promise.all([bus.drain(), evaluator.drain()]);
  await nats.close();
  rmSync(folder, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: unknown, scope: Scope = 'admin', project = 'default') {
  const response = await fetch(`${url}/v1${path}`, {
    method,
    headers: {
      [IDENTITY_HEADER]: signIdentity({ project, keyId: 'key_1', scope }, key),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown> & {
      error?: { code: string; param: string | null; tunefleet?: { rules: unknown[] } };
    },
  };
}

const manifest = (step: number, kind: 'version' | 'checkpoint' = 'version'): ArtifactManifest => ({
  schema: 1,
  kind,
  job: 'ftjob-a',
  attempt: 1,
  step,
  adapter: { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' },
  weights_sha256: `${step}`.padStart(64, 'a'),
  files: [{ path: 'adapter_model.safetensors', key: `default/jobs/ftjob-a/attempts/1/result/${step}`, bytes: 4, sha256: 'c'.repeat(64) }],
  lineage: { seed: 7 },
});
const put = (id: string, step: number, sha = `${step}`.padStart(64, 'b'), over: Partial<ArtifactManifest> = {}) =>
  bus.request('model-registry.put_version', {
    project: 'default',
    id,
    base: 'tiny',
    parent: 'tiny',
    created_at: 1_700_000_000 + step,
    manifest: { ...manifest(step), ...over },
    manifest_sha256: sha,
  });

const VERSION = 'ft:tiny:default:a/b:one';

describe('base models', () => {
  test('a bundled folder is listed for every project and resolves to files that can be fetched', async () => {
    const { body } = await call('GET', '/models', undefined, 'read', 'another');
    expect(body['data']).toMatchObject([{ id: 'tiny', object: 'model', owned_by: 'tunefleet', tunefleet: { kind: 'base' } }]);
    const found = await bus.request('model-registry.resolve_model', { project: 'another', model: 'tiny' });
    expect(found).toMatchObject({ id: 'tiny', kind: 'base', adapter: null, project: null });
    const config = found.files.find((file) => file.path === 'config.json');
    expect(await (await fetch(config?.url ?? '')).json()).toMatchObject({ model_type: 'llama' });
  });

  test('registering twice changes nothing', async () => {
    const before = (await call('GET', '/models/tiny')).body;
    await registerBundled(join(folder, 'bases'), objects, store.bases, logger);
    expect((await call('GET', '/models/tiny')).body).toEqual(before);
  });

  test('a base cannot be deleted, an unknown model is a 404', async () => {
    expect((await call('DELETE', '/models/tiny')).body.error).toMatchObject({ code: 'invalid_value' });
    expect((await call('GET', '/models/nobody')).body.error).toMatchObject({ code: 'model_not_found', param: 'model' });
    await expect(bus.request('model-registry.resolve_model', { project: 'default', model: 'nobody' })).rejects.toMatchObject({
      code: 'model_not_found',
    });
  });
});

describe('versions', () => {
  test('an adapter is loaded over the precision it was trained over; a manifest that says nothing means float32', async () => {
    const precisionOf = async (id: string) =>
      (await bus.request('model-registry.resolve_model', { project: 'default', model: id })).base_precision;
    await put('ft:tiny:default:int4:x', 3, undefined, { base_precision: 'int4' });
    await put('ft:tiny:default:plain:x', 4);
    expect([await precisionOf('ft:tiny:default:int4:x'), await precisionOf('ft:tiny:default:plain:x')]).toEqual(['int4', 'float32']);
  });

  test('the same manifest again is the same version; another under its id is refused', async () => {
    const first = await put(VERSION, 1);
    expect(await put(VERSION, 1)).toEqual(first);
    await expect(put(VERSION, 1, 'd'.repeat(64))).rejects.toMatchObject({ code: 'invalid_state' });
  });

  test('its id holds slashes and colons; another project does not see it', async () => {
    const path = `/models/${VERSION.replace('/', '%2F')}`;
    expect((await call('GET', path)).body).toMatchObject({
      id: VERSION,
      tunefleet: { kind: 'version', base: 'tiny', job: 'ftjob-a', lineage: { seed: 7 }, aliases: [] },
    });
    expect((await call('GET', path, undefined, 'read', 'another')).status).toBe(404);
    const found = await bus.request('model-registry.resolve_model', { project: 'default', model: VERSION });
    expect(found.adapter?.map((file) => file.path)).toEqual(['adapter_model.safetensors']);
    expect(found.files.some((file) => file.path === 'tokenizer.json')).toBe(true);
  });
});

describe('export', () => {
  const ADAPTER = join(import.meta.dirname, '../../../libs/models/test/fixtures/adapters/saved');
  const LORA = 'ft:tiny:default:lora:two';
  const FULL = 'ft:tiny:default:full:three';

  /** A version or checkpoint whose files are those of a folder. */
  async function putFolder(id: string, from: string, adapter: ArtifactManifest['adapter'], kind: 'version' | 'checkpoint'): Promise<void> {
    const files: ArtifactManifest['files'] = [];
    for (const path of readdirSync(from).sort()) {
      const object = `default/jobs/ftjob-a/attempts/1/${id.split(':').at(-1)}/${path}`;
      files.push({ path, key: object, ...(await objects.put(object, readFileSync(join(from, path)))) });
    }
    const whole = { ...manifest(2, kind), adapter, files };
    const request = {
      project: 'default',
      id,
      base: 'tiny',
      parent: 'tiny',
      created_at: 1_700_000_000,
      manifest: whole,
      manifest_sha256: id,
    };
    await bus.request('model-registry.put_version', request);
  }

  beforeAll(async () => {
    if (natsServerPath() === undefined) return;
    await putFolder(LORA, ADAPTER, { type: 'lora', rank: 4, alpha: 8, dropout: 0, targets: 'all-linear' }, 'checkpoint');
    await putFolder(FULL, BASE, { type: 'full' }, 'version');
  });

  async function tar(model: string, format: string): Promise<{ bytes: Buffer; files: Map<string, Buffer> }> {
    const response = await fetch(`${url}/v1/models/${encodeURIComponent(model)}/export?format=${format}`, {
      headers: { [IDENTITY_HEADER]: signIdentity({ project: 'default', keyId: 'key_1', scope: 'read' }, key) },
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-tar']);
    const bytes = Buffer.from(await response.arrayBuffer());
    const files = new Map<string, Buffer>();
    const archive = Readable.from([bytes]).pipe(extract());
    for await (const entry of archive) files.set(entry.header.name, await buffer(entry));
    return { bytes, files };
  }

  const refusal = async (model: string, format: string) =>
    (await call('GET', `/models/${encodeURIComponent(model)}/export?format=${format}`, undefined, 'read')).body.error;

  test('an adapter leaves as the PEFT folder it is, with the tokenizer', async () => {
    const { files } = await tar(LORA, 'peft');
    expect([...files.keys()]).toEqual(['adapter_config.json', 'adapter_model.safetensors', 'tokenizer.json']);
    for (const name of ['adapter_config.json', 'adapter_model.safetensors'])
      expect(files.get(name)?.equals(readFileSync(join(ADAPTER, name)))).toBe(true);
  });

  test('merged, it is a folder of its own, the same bytes each time, and nothing is left behind', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('tunefleet-export-')).length;
    const { bytes, files } = await tar(LORA, 'merged');
    expect((await tar(LORA, 'merged')).bytes.equals(bytes)).toBe(true);
    expect([...files.keys()]).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    const out = join(folder, 'merged');
    mkdirSync(out);
    for (const [name, content] of files) writeFileSync(join(out, name), content);
    const { weights } = await openLlamaFolder(out);
    const adapter = await readLoraFolder(ADAPTER);
    expect(await weights.float32('lm_head.weight')).toEqual(adapter.saved.get('lm_head.weight')?.values);
    const { a, b, rank, inputs, scaling } = adapter.pairs.get('model.layers.1.mlp.down_proj')!;
    const base = await openLlamaFolder(BASE);
    const [merged, plain] = [weights, base.weights].map((reader) => reader.float32('model.layers.1.mlp.down_proj.weight'));
    const dot = Array.from({ length: rank }, (_, k) => b[k]! * a[k * inputs]!).reduce((x, y) => x + y);
    expect((await merged)?.[0]).toBe(Math.fround((await plain)![0]! + scaling * dot));
    await Promise.all([weights.close(), base.weights.close()]);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('tunefleet-export-')).length).toBe(before);
  });

  test('a model tuned in full is its own folder; it has no adapter', async () => {
    const { files } = await tar(FULL, 'merged');
    expect(files.get('model.safetensors')?.equals(readFileSync(join(BASE, 'model.safetensors')))).toBe(true);
    expect([...files.keys()]).toContain('tokenizer.json');
    for (const model of [FULL, 'tiny']) expect(await refusal(model, 'peft')).toMatchObject({ code: 'invalid_value', param: 'format' });
  });

  test('what is not built or not there is named', async () => {
    for (const format of ['gguf', 'onnx']) expect(await refusal(LORA, format)).toMatchObject({ code: 'not_supported', param: 'format' });
    expect(await refusal(LORA, 'zip')).toMatchObject({ code: 'invalid_value', param: 'format' });
    expect(await refusal('nobody', 'peft')).toMatchObject({ code: 'model_not_found' });
    expect((await call('GET', `/models/${encodeURIComponent(LORA)}/export?format=peft`, undefined, 'read', 'another')).status).toBe(404);
  });
});

describe('aliases and gates', () => {
  test('onto a base an alias needs no gate; it may not hide a base', async () => {
    expect((await call('PUT', '/model_aliases/gpt-4o-mini', { model: 'tiny' })).body).toMatchObject({
      id: 'gpt-4o-mini',
      model: 'tiny',
      gate: null,
    });
    expect((await bus.request('model-registry.resolve_model', { project: 'default', model: 'gpt-4o-mini' })).id).toBe('tiny');
    expect((await call('PUT', '/model_aliases/tiny', { model: VERSION })).body.error).toMatchObject({
      code: 'invalid_value',
      param: 'name',
    });
  });

  test('only an admin key sets a gate, and only on evals that exist', async () => {
    const rules = [{ eval: 'eval_a', metric: 'pass_rate', min: 0.8, min_gain_over_base: 0.2 }];
    expect((await call('PUT', '/model_aliases/production/gate', { rules }, 'write')).status).toBe(403);
    expect((await call('PUT', '/model_aliases/production/gate', { rules: [{ ...rules[0], eval: 'eval_x' }] })).body.error).toMatchObject({
      code: 'eval_not_found',
      param: 'rules.0.eval',
    });
    expect((await call('PUT', '/model_aliases/production', { model: VERSION })).body.error).toMatchObject({ code: 'gate_missing' });
    expect((await call('PUT', '/model_aliases/production/gate', { rules })).body).toMatchObject({ alias: 'production', rules });
  });

  test('the gate judges the newest run on these weights and on the base, and says each figure', async () => {
    const base = (await bus.request('model-registry.resolve_model', { project: 'default', model: 'tiny' })).weights_sha256;
    const run = (weights: string, passed: number, created_at: number) => ({
      weights_sha256: weights,
      run: `evalrun_${created_at}`,
      data_sha256: 'e'.repeat(64),
      total: 10,
      passed,
      failed: 10 - passed,
      errored: 0,
      created_at,
    });
    const refused = async () => (await call('PUT', '/model_aliases/production', { model: VERSION })).body.error;
    expect(await refused()).toMatchObject({
      code: 'gate_not_passed',
      tunefleet: {
        rules: [
          { eval: 'eval_a', required: 0.8, actual: null, passed: false },
          { actual: null, passed: false },
        ],
      },
    });
    results = [run(manifest(1).weights_sha256, 9, 1), run(manifest(1).weights_sha256, 7, 2), run(base, 1, 3)];
    expect(await refused()).toMatchObject({
      tunefleet: {
        rules: [
          { actual: 0.7, passed: false },
          { rule: 'min_gain_over_base', passed: true },
        ],
      },
    });
    results.push(run(manifest(1).weights_sha256, 8, 4), run(base, 7, 5));
    expect(await refused()).toMatchObject({ tunefleet: { rules: [{ actual: 0.8, passed: true }, { passed: false }] } });
    results.push(run(base, 6, 6));
    const moved = await call('PUT', '/model_aliases/production', { model: VERSION }, 'write');
    expect([moved.status, moved.body]).toMatchObject([200, { id: 'production', model: VERSION }]);
  });

  test('an alias that stands for a version keeps it from being deleted; its gate outlives it', async () => {
    expect((await call('DELETE', `/models/${encodeURIComponent(VERSION)}`)).body.error).toMatchObject({ code: 'model_in_use' });
    expect((await call('DELETE', '/model_aliases/production', undefined, 'write')).body).toMatchObject({ deleted: true });
    expect((await call('DELETE', '/model_aliases/production')).status).toBe(404);
    expect((await call('GET', '/model_aliases/production')).body).toMatchObject({ model: null, gate: { rules: [{ eval: 'eval_a' }] } });
    expect((await call('DELETE', `/models/${encodeURIComponent(VERSION)}`)).body).toEqual({ id: VERSION, object: 'model', deleted: true });
  });

  test('aliases are listed newest first and page', async () => {
    const page = (await call('GET', '/model_aliases?limit=1')).body;
    expect(page).toMatchObject({ object: 'list', data: [{ id: 'gpt-4o-mini' }], has_more: false, first_id: 'gpt-4o-mini' });
    expect((await call('GET', '/model_aliases?after=none')).body.error).toMatchObject({ code: 'invalid_value', param: 'after' });
  });
});
