import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { type ObjectStore, openObjectStore } from '@tunefleet/object-store';
import type OpenAI from 'openai';
import { toFile } from 'openai';
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
import { BAD_FORMS, blob, type Parts } from './bad-forms.js';
import { chatRow, chatRows, filesBelow, identity, jsonl, makeFolder, openai, removeFolder, ServiceProcess, until } from './fleet.js';

const MIB = 1024 * 1024;
const hasNats = natsServerPath() !== undefined;

describe.each(['folder', 'S3'] as const)('files on %s', (kind) => {
  const missing = kind === 'S3' ? s3Missing() : undefined;
  const test = skipUnless(hasNats && missing === undefined, hasNats ? (missing ?? '') : NATS_MISSING);
  let nats: NatsTestServer;
  let s3: S3TestServer | undefined;
  let folder: string;
  let service: ServiceProcess;
  let client: OpenAI;
  let objects: ObjectStore;

  beforeAll(async () => {
    if (!hasNats || missing !== undefined) return;
    folder = await makeFolder();
    nats = await startNatsServer();
    const env: Record<string, string> = { NATS_URL: nats.url, TMPDIR: folder, TUNEFLEET_LEASE_MS: '2000' };
    if (kind === 'S3') {
      s3 = await startS3Server();
      const { endpoint, region, accessKeyId, secretAccessKey, bucket } = s3;
      Object.assign(env, {
        AWS_ENDPOINT_URL_S3: endpoint,
        AWS_REGION: region,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        TUNEFLEET_BUCKET: bucket,
      });
      objects = await openObjectStore({ endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey, bucket });
    } else {
      env['TUNEFLEET_OBJECTS'] = join(folder, 'objects');
      objects = await openObjectStore({ folder: join(folder, 'objects'), url: '', signingKey: 'x' });
    }
    service = new ServiceProcess('dataset', env);
    await service.start();
    client = openai(() => service.url);
  }, 90_000);

  afterAll(async () => {
    await service?.end('SIGKILL');
    await nats?.close();
    await s3?.close();
    if (folder) await removeFolder(folder);
  });

  const stored = async (prefix: string): Promise<string[]> => {
    const keys = [];
    for await (const { key } of objects.list(prefix)) keys.push(key);
    return keys;
  };
  const upload = async (text: string | Uint8Array, purpose: OpenAI.FilePurpose = 'fine-tune', name = 'rows.jsonl') =>
    client.files.create({ file: await toFile(Buffer.from(text as string), name), purpose });
  const checked = async (id: string) =>
    until(async () => {
      const file = await client.files.retrieve(id);
      return file.status === 'uploaded' ? undefined : file;
    });
  const validation = async (id: string) =>
    (await (await fetch(`${service.url}/v1/files/${id}/validation`, { headers: identity() })).json()) as Record<string, unknown>;

  test('the life of a fine-tune file through the SDK', async () => {
    const text = chatRows(20);
    const created = await upload(text);
    expect(created).toEqual({
      id: expect.stringMatching(/^file-\w{24}$/),
      object: 'file',
      bytes: Buffer.byteLength(text),
      created_at: expect.any(Number),
      filename: 'rows.jsonl',
      purpose: 'fine-tune',
      status: 'uploaded',
    });
    const processed = await client.files.waitForProcessing(created.id, { pollInterval: 50 });
    expect(processed).toEqual({ ...created, status: 'processed' });
    expect(await validation(created.id)).toEqual({ object: 'file.validation', status: 'processed', rows: 20, faults: {}, data: [] });
    const content = await client.files.content(created.id);
    expect(content.headers.get('content-type')).toBe('application/octet-stream');
    expect(await content.text()).toBe(text);
    const listed = await client.files.list({ purpose: 'fine-tune' });
    expect(listed.data.map(({ id }) => id)).toContain(created.id);
    expect(await client.files.delete(created.id)).toEqual({ id: created.id, object: 'file', deleted: true });
    await expect(client.files.retrieve(created.id)).rejects.toMatchObject({ status: 404, code: 'file_not_found' });
    await expect(client.files.delete(created.id)).rejects.toMatchObject({ status: 404 });
    expect(await stored('default/files/')).not.toContain(`default/files/${created.id}`);
  }, 30_000);

  test('purposes without rows are processed at once; evals lightly', async () => {
    for (const purpose of ['user_data', 'vision', 'assistants', 'batch'] as const)
      expect((await upload('anything', purpose)).status).toBe('processed');
    const good = await upload(jsonl([{ item: { q: 1 } }, { item: { q: 2 } }]), 'evals');
    expect(await checked(good.id)).toMatchObject({ status: 'processed' });
    const bad = await upload(`{"item":{"q":1}}\n{"q":1}\nnot json\n`, 'evals');
    expect((await checked(bad.id)).status).toBe('error');
    expect(await validation(bad.id)).toMatchObject({ rows: 3, faults: { invalid_row: 1, invalid_json: 1 } });
  }, 30_000);

  const nine = chatRows(9);
  const row = (messages: unknown, more = {}) => jsonl([...Array.from({ length: 10 }, (_, i) => chatRow(i)), { messages, ...more }]);
  const user = { role: 'user', content: 'hi' };
  const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}\n`;
  test.each<[string, string | Uint8Array, string, number]>([
    ['not JSON', `${nine}${chatRows(2)}not json\n`, 'invalid_json', 12],
    ['not an object', `${nine}${chatRows(2)}[1]\n`, 'invalid_row', 12],
    ['not UTF-8', Buffer.concat([Buffer.from(chatRows(10)), Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x0a])]), 'invalid_encoding', 11],
    ['UTF-16', Buffer.from(chatRows(12), 'utf16le'), 'invalid_encoding', 1],
    ['depth 10^5', chatRows(10) + deep, 'too_deep', 11],
    [
      'row over 4 MiB',
      `${chatRows(10)}${JSON.stringify({ messages: [{ role: 'assistant', content: 'x'.repeat(4 * MIB) }] })}\n`,
      'row_too_large',
      11,
    ],
    ['unknown role', row([user, { role: 'robot', content: 'x' }]), 'invalid_role', 11],
    ['no assistant', row([user]), 'missing_assistant', 11],
    ['content is a number', row([user, { role: 'assistant', content: 5 }]), 'invalid_content', 11],
    ['no messages', row([]), 'missing_messages', 11],
    [
      '__proto__',
      `${chatRows(10)}{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"__proto__":{"x":1}}\n`,
      'unknown_field',
      11,
    ],
    ['another unknown key', row([user, { role: 'assistant', content: 'b' }], { mystery: 1 }), 'unknown_field', 11],
    ['nine examples', nine, 'invalid_n_examples', 9],
    ['an empty file', '', 'empty_file', 1],
  ])(
    'bad rows: %s',
    async (_, text, code, line) => {
      const file = await checked((await upload(text)).id);
      expect(file.status).toBe('error');
      expect(file.status_details).toContain(code);
      const report = await validation(file.id);
      expect(report).toMatchObject({ status: 'error', faults: { [code]: expect.any(Number) } });
      expect((report['data'] as { code: string; line: number }[])[0]).toMatchObject({ code, line });
      await client.files.delete(file.id);
    },
    30_000,
  );

  const form = (parts: Parts) => {
    const body = new FormData();
    for (const [name, value, filename] of parts)
      typeof value === 'string' ? body.append(name, value) : body.append(name, value, filename ?? 'a.jsonl');
    return fetch(`${service.url}/v1/files`, { method: 'POST', headers: identity(), body });
  };
  test.each(BAD_FORMS)('a form is refused: %s', async (_, parts, code, param) => {
    const before = await stored('default/files/');
    const response = await form(parts);
    expect(await response.json()).toMatchObject({ error: { code, param, type: 'invalid_request_error' } });
    expect(response.status).toBe(400);
    expect(await stored('default/files/')).toEqual(before);
  });

  test('a body that is no form, or a broken one', async () => {
    const post = (type: string, body: string) =>
      fetch(`${service.url}/v1/files`, { method: 'POST', headers: { ...identity(), 'content-type': type }, body });
    for (const [type, body] of [
      ['application/json', '{}'],
      ['multipart/form-data', 'x'],
      ['multipart/form-data; boundary=b', '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'],
      ['multipart/form-data; boundary=b', 'nothing'],
    ] as const) {
      const response = await post(type, body);
      expect(await response.json()).toMatchObject({
        error: { code: expect.stringMatching(/invalid_multipart|missing_required_parameter/) },
      });
      expect(response.status).toBe(400);
    }
    expect((await post('text/plain', 'x')).status).toBe(415);
  });

  test('purpose may come first; expires_after is kept', async () => {
    const response = await form([
      ['purpose', 'user_data'],
      ['expires_after[anchor]', 'created_at'],
      ['expires_after[seconds]', '3600'],
      ['file', blob, 'ä q.bin'],
    ]);
    const file = (await response.json()) as OpenAI.FileObject;
    expect(file).toMatchObject({ filename: 'ä q.bin', purpose: 'user_data', status: 'processed', expires_at: file.created_at + 3600 });
    const content = await client.files.content(file.id);
    expect(content.headers.get('content-disposition')).toContain("filename*=UTF-8''%C3%A4%20q.bin");
  });

  test('another project sees nothing; scopes hold', async () => {
    const file = await upload('x', 'user_data');
    const other = openai(() => service.url, 'other');
    await expect(other.files.retrieve(file.id)).rejects.toMatchObject({ status: 404, code: 'file_not_found' });
    await expect(other.files.content(file.id)).rejects.toMatchObject({ status: 404 });
    await expect(other.files.delete(file.id)).rejects.toMatchObject({ status: 404 });
    expect((await other.files.list()).data).toEqual([]);
    await expect(other.files.list({ after: file.id })).rejects.toMatchObject({ status: 400, param: 'after' });
    const reader = openai(() => service.url, 'default', { scope: 'read' });
    expect((await reader.files.retrieve(file.id)).id).toBe(file.id);
    await expect(reader.files.delete(file.id)).rejects.toMatchObject({ status: 403, code: 'insufficient_scope' });
    expect((await fetch(`${service.url}/v1/files`)).status).toBe(401);
  });

  test('lists: exact after a create, both orders, pages, limits', async () => {
    const own = openai(() => service.url, 'lists');
    const ids = [];
    for (let i = 0; i < 7; i += 1)
      ids.push((await own.files.create({ file: await toFile(Buffer.from('x'), `${i}`), purpose: 'user_data' })).id);
    const seen = [];
    for await (const file of own.files.list({ limit: 3, order: 'asc' })) seen.push(file.id);
    expect([...seen].sort()).toEqual([...ids].sort());
    const newest = (await own.files.list()).data.map(({ id }) => id);
    expect(newest).toEqual([...seen].reverse());
    await own.files.delete(seen[2]!);
    expect((await own.files.list({ order: 'asc', after: seen[2]!, limit: 2 })).data.map(({ id }) => id)).toEqual(seen.slice(3, 5));
    expect((await own.files.list({ purpose: 'evals' })).data).toEqual([]);
    for (const query of [{ limit: 0 }, { limit: 10_001 }])
      await expect(own.files.list(query)).rejects.toMatchObject({ status: 400, param: 'limit', code: 'invalid_value' });
    await expect(own.files.list({ order: 'up' as 'asc' })).rejects.toMatchObject({ status: 400, param: 'order' });
    await expect(own.files.list({ after: 'file-none' })).rejects.toMatchObject({ status: 400, param: 'after' });
    const unknown = await fetch(`${service.url}/v1/files?color=red`, { headers: identity() });
    expect(await unknown.json()).toMatchObject({ error: { code: 'unknown_parameter', param: 'color' } });
  }, 30_000);

  test('a request sent again makes no second file, and its bytes go', async () => {
    const own = () => identity('retries');
    const send = (headers: Record<string, string>, text = 'same') => {
      const body = new FormData();
      body.append('file', new Blob([text]), 'a.txt');
      body.append('purpose', 'user_data');
      return fetch(`${service.url}/v1/files`, { method: 'POST', headers: { ...own(), ...headers }, body });
    };
    const id = async (response: Promise<Response>) => ((await (await response).json()) as { id: string }).id;
    const first = await id(send({}));
    expect(await id(send({ 'x-stainless-retry-count': '1' }))).toBe(first);
    const meant = await id(send({}));
    expect(meant).not.toBe(first);
    const keyed = await id(send({ 'idempotency-key': 'k1' }));
    expect(await id(send({ 'idempotency-key': 'k1' }))).toBe(keyed);
    const conflict = await send({ 'idempotency-key': 'k1' }, 'different');
    expect(conflict.status).toBe(422);
    expect(await stored('retries/')).toHaveLength(3);
  }, 30_000);

  test('a client that hangs up in mid-upload leaves nothing; the service lives', async () => {
    const before = await stored('default/');
    const boundary = 'b0undary';
    const client_ = request(`${service.url}/v1/files`, {
      method: 'POST',
      headers: { ...identity(), 'content-type': `multipart/form-data; boundary=${boundary}`, 'content-length': 100 * MIB },
    });
    client_.on('error', () => {});
    client_.write(
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: application/octet-stream\r\n\r\n`,
    );
    for (let i = 0; i < 20; i += 1) client_.write(Buffer.alloc(MIB, 65));
    await sleep(300);
    client_.destroy();
    await sleep(500);
    expect(service.alive).toBe(true);
    expect(await stored('default/')).toEqual(before);
    if (kind === 'folder') expect((await filesBelow(join(folder, 'objects', '.tmp'))).length).toBe(0);
    expect(Array.isArray((await client.files.list()).data)).toBe(true);
  }, 30_000);

  test('over 512 MB: 413 with its code, nothing left; memory stays bounded', async () => {
    const before = await stored('default/');
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="big"\r\n\r\n');
      for (let i = 0; i < 514; i += 1) yield Buffer.alloc(MIB, 65);
      yield Buffer.from('\r\n--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--b--\r\n');
    }
    const headers = { ...identity(), 'content-type': 'multipart/form-data; boundary=b' };
    const init = { method: 'POST', headers, body: Readable.toWeb(Readable.from(body())) as ReadableStream, duplex: 'half' as const };
    const response = await fetch(`${service.url}/v1/files`, init);
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: 'file_too_large', param: 'file' } });
    expect(await stored('default/')).toEqual(before);
    expect(Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${service.pid}/status`, 'utf8'))?.[1])).toBeLessThan(450 * 1024); // KiB
  }, 120_000);

  test('more than 16 uploads at a time are 429 until some end', async () => {
    const open = Array.from({ length: 16 }, () => {
      const one = request(`${service.url}/v1/files`, {
        method: 'POST',
        headers: { ...identity(), 'content-type': 'multipart/form-data; boundary=b', 'content-length': 1000 },
      });
      one.on('error', () => {});
      one.write('--b\r\n');
      return one;
    });
    await sleep(300);
    await expect(upload('x', 'user_data')).rejects.toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
    for (const one of open) one.destroy();
    await until(async () => upload('x', 'user_data'));
  }, 30_000);
});
