import { expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { openai, raw, target } from '../harness/client.js';
import { chatRows, until, upload } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
const settled = (id: string): Promise<OpenAI.FileObject> =>
  until(
    () => client.files.retrieve(id),
    (file) => file.status !== 'uploaded',
    30,
  );
const validation = async (id: string) =>
  (await raw('GET', `/files/${id}/validation`)).body as unknown as {
    object: string;
    status: string;
    rows: number;
    faults: Record<string, number>;
    data: { line: number; column: number | null; code: string; message: string }[];
  };

test('a file is uploaded, validated, listed, read back and deleted', async () => {
  const text = chatRows(12);
  const file = await upload(client, text);
  expect(file).toMatchObject({ object: 'file', bytes: Buffer.byteLength(text), filename: 'rows.jsonl', purpose: 'fine-tune' });
  expect((await client.files.list({ purpose: 'fine-tune' })).data[0]?.id).toBe(file.id);
  expect((await client.files.waitForProcessing(file.id)).status).toBe('processed');
  expect(await validation(file.id)).toMatchObject({ object: 'file.validation', status: 'processed', rows: 12, faults: {}, data: [] });
  expect(await (await client.files.content(file.id)).text()).toBe(text);
  expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: 'file', deleted: true });
  await expect(client.files.retrieve(file.id)).rejects.toMatchObject({ status: 404, code: 'file_not_found' });
});

test('expires_after sets expires_at', async () => {
  const file = await client.files.create({
    file: await toFile(Buffer.from('hello'), 'a.txt'),
    purpose: 'user_data',
    expires_after: { anchor: 'created_at', seconds: 3600 },
  });
  expect(file.expires_at).toBe(file.created_at + 3600);
  await expect(
    client.files.create({
      file: await toFile(Buffer.from('x'), 'a'),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 59 },
    }),
  ).rejects.toMatchObject({ status: 400, code: 'invalid_value' });
});

const good = (n: number): string => chatRows(n);
const row = (messages: unknown): string => JSON.stringify({ messages });
const ok = [
  { role: 'user', content: 'a' },
  { role: 'assistant', content: 'b' },
];

test.each<[string, string | Uint8Array, string, number | null]>([
  ['a row that is not JSON', `${good(11)}\n{"messages": [`, 'invalid_json', 12],
  ['a row that is not an object', `${good(11)}\n[1, 2]`, 'invalid_row', 12],
  [
    'bytes that are not UTF-8',
    Buffer.concat([
      Buffer.from(`${good(11)}\n{"messages": [{"role": "user", "content": "`),
      Buffer.from([0xff, 0xfe, 0xc0]),
      Buffer.from('"}]}'),
    ]),
    'invalid_encoding',
    12,
  ],
  ['UTF-16', Buffer.from(good(12), 'utf16le'), 'invalid_encoding', 1],
  ['a wrong role', `${good(11)}\n${row([{ role: 'robot', content: 'x' }, ...ok])}`, 'invalid_role', 12],
  ['no assistant message', `${good(11)}\n${row([{ role: 'user', content: 'x' }])}`, 'missing_assistant', 12],
  ['content that is a number', `${good(11)}\n${row([{ role: 'user', content: 7 }, ok[1]])}`, 'invalid_content', 12],
  ['no messages', `${good(11)}\n${row([])}`, 'missing_messages', 12],
  ['an empty file', '', 'empty_file', 1],
  ['nine examples', good(9), 'invalid_n_examples', 9],
  ['a row over 4 MiB', `${good(11)}\n${row([{ role: 'user', content: 'x'.repeat(4 * 1024 * 1024) }, ok[1]])}`, 'row_too_large', 12],
  ['depth 100,000', `${good(11)}\n${'['.repeat(100_000)}`, 'too_deep', 12],
  ['__proto__ as a key', `${good(11)}\n{"messages": ${JSON.stringify(ok)}, "__proto__": {"x": 1}}`, 'unknown_field', 12],
  ['an unknown key', `${good(11)}\n{"messages": ${JSON.stringify(ok)}, "colour": 1}`, 'unknown_field', 12],
])('%s: the file is in error, with the place', async (_name, text, code, line) => {
  const file = await settled((await upload(client, text)).id);
  expect(file.status).toBe('error');
  expect(file.status_details).toBeTruthy();
  const report = await validation(file.id);
  expect(report.faults[code]).toBeGreaterThan(0);
  expect(report.data.find((fault) => fault.code === code)).toMatchObject({ line, message: expect.any(String) });
});

test('a job on a file in error is created, then failed with its code', async () => {
  const file = await settled((await upload(client, good(9))).id);
  const job = await client.fineTuning.jobs.create({ model: 'tunefleet-base', training_file: file.id });
  const failed = await until(
    () => client.fineTuning.jobs.retrieve(job.id),
    (j) => j.status === 'failed',
    20,
  );
  expect(failed.error).toMatchObject({ code: 'invalid_n_examples', param: 'training_file' });
});

test('wrong and unknown purposes are refused', async () => {
  const body = new FormData();
  body.set('file', new Blob(['x']), 'a.txt');
  body.set('purpose', 'fun');
  const { url, key } = target();
  const answer = await fetch(`${url}/v1/files`, { method: 'POST', headers: { authorization: `Bearer ${key}` }, body });
  expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: 'invalid_purpose' } }]);
});

test('lists page without gaps and refuse an unknown after', async () => {
  const made: string[] = [];
  for (let i = 0; i < 5; i++) made.unshift((await upload(client, `page ${i}`, 'user_data', `p${i}`)).id);
  const paged: string[] = [];
  for await (const file of client.files.list({ purpose: 'user_data', limit: 2 })) paged.push(file.id);
  expect(paged.filter((id) => made.includes(id))).toEqual(made);
  await client.files.delete(made[2] ?? '');
  expect((await client.files.list({ purpose: 'user_data', limit: 1, after: made[2] ?? '' })).data[0]?.id).toBe(made[3]);
  await expect(client.files.list({ after: 'file-none' })).rejects.toMatchObject({ status: 400, code: 'invalid_value', param: 'after' });
});

test('a client that hangs up in mid-upload leaves nothing, and the service lives', async () => {
  const before = (await client.files.list()).data.length;
  const { url, key } = target();
  const abort = new AbortController();
  const boundary = 'xxBOUNDARYxx';
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n`));
    },
    async pull(controller) {
      // fetch goes on asking after an abort
      if (abort.signal.aborted) return controller.close();
      controller.enqueue(Buffer.alloc(65_536, 0x61));
      await new Promise((next) => setTimeout(next, 10));
    },
  });
  const sent = fetch(`${url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': `multipart/form-data; boundary=${boundary}` },
    body,
    duplex: 'half',
    signal: abort.signal,
  } as RequestInit);
  setTimeout(() => abort.abort(), 300);
  await expect(sent).rejects.toThrow();
  expect((await client.files.list()).data.length).toBe(before);
  expect((await upload(client, 'still here', 'user_data')).id).toMatch(/^file-/);
});

coversInventory('files.test.ts');
