import { describe, expect, test } from '@jest/globals';
import { trainingRows, validate } from '../src/validate.js';

const good = JSON.stringify({
  messages: [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: 'hello' },
  ],
});
const chat = (...messages: unknown[]) => JSON.stringify({ messages });
const user = { role: 'user', content: 'q' };
const reply = { role: 'assistant', content: 'a' };
const call = (args: unknown) => ({ id: 'c', type: 'function', function: { name: 'f', arguments: args } });

async function* bytes(text: string | Uint8Array, chunk = 7): AsyncGenerator<Uint8Array> {
  const all = Buffer.from(text);
  // One buffer filled again and again, as a stream may do it.
  const buffer = new Uint8Array(chunk);
  for (let at = 0; at < all.length; at += chunk) {
    const part = all.subarray(at, at + chunk);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
  }
}
/** Row 3 of twelve, the others good. */
const file = (row: string | Uint8Array) =>
  Buffer.concat([Buffer.from(`${good}\n${good}\n`), Buffer.from(row), Buffer.from(`\n${`${good}\n`.repeat(9)}`)]);

test('a good file has no faults, however it is cut', async () => {
  for (const chunk of [1, 2, 3, 64, 1 << 20]) {
    expect(await validate(bytes(`${good}\n`.repeat(10), chunk))).toEqual({ rows: 10, kind: 'chat', faults: {}, data: [] });
  }
});

test('without a final newline, with CRLF, with a byte-order mark, with blank lines at the end: still ten rows', async () => {
  const ten = Array.from({ length: 10 }, () => good);
  for (const text of [ten.join('\n'), `${ten.join('\r\n')}\r\n`, `\ufeff${ten.join('\n')}\n`, `${ten.join('\n')}\n\n  \n`]) {
    expect(await validate(bytes(text))).toEqual({ rows: 10, kind: 'chat', faults: {}, data: [] });
  }
});

describe.each<[string, string | Uint8Array, string, number]>([
  ['not JSON', 'hello', 'invalid_json', 1],
  ['cut off', good.slice(0, -1), 'invalid_json', good.length],
  ['a blank line in between', '', 'invalid_json', 1],
  ['a trailing comma', '{"messages":[],}', 'invalid_json', 16],
  ['a key given twice', '{"messages":[],"messages":[]}', 'invalid_json', 16],
  ['an array', '  []', 'invalid_row', 3],
  ['text', '"hi"', 'invalid_row', 1],
  ['not UTF-8', Buffer.concat([Buffer.from('{"é'), Buffer.from([0xff])]), 'invalid_encoding', 4],
  ['half a surrogate pair, escaped', '{"messages":"\\ud800"}', 'invalid_encoding', 13],
  ['65 levels', `{"messages":${'['.repeat(64)}${']'.repeat(64)}}`, 'too_deep', 12 + 64],
  ['a hundred thousand levels', `{"messages":${'['.repeat(100_000)}`, 'too_deep', 12 + 64],
  ['over 4 MiB', `{"messages":"${'x'.repeat(4 * 1024 * 1024)}"}`, 'row_too_large', 1],
  ['neither chat nor completion', '{"text":"a"}', 'missing_messages', 1],
  ['an empty object', '{}', 'missing_messages', 1],
  ['no messages', '{"messages":[]}', 'missing_messages', 13],
  ['messages that are text', '{"messages":"hi"}', 'missing_messages', 13],
  ['a message that is text', '{"messages":["hi"]}', 'invalid_row', 14],
  ['an unknown role', chat({ role: 'robot', content: 'x' }, reply), 'invalid_role', 22],
  ['no role', chat({ content: 'x' }, reply), 'invalid_role', 14],
  ['the old role function', chat(user, { role: 'function', name: 'f', content: 'x' }, reply), 'invalid_role', 52],
  ['no assistant', chat(user), 'missing_assistant', 13],
  ['assistants of weight 0 alone', chat(user, { ...reply, weight: 0 }), 'missing_assistant', 13],
  ['content that is a number', chat({ role: 'user', content: 5 }, reply), 'invalid_content', 39],
  ['content that is null', chat({ role: 'user', content: null }, reply), 'invalid_content', 39],
  ['no content', chat(user, { role: 'assistant' }), 'invalid_content', 44],
  ['content that is an array', chat({ role: 'user', content: [] }, reply), 'invalid_content', 39],
  ['__proto__ in a row', `{"__proto__":{"messages":[]},${good.slice(1)}`, 'unknown_field', 14],
  ['__proto__ in a message', '{"messages":[{"role":"user","content":"a","__proto__":{}}]}', 'unknown_field', 55],
  ['an unknown key in a row', `{"id":1,${good.slice(1)}`, 'unknown_field', 7],
  ['an unknown key in a message', chat({ ...user, mood: 'x' }, reply), 'unknown_field', 50],
  ['a weight of 2', chat(user, { ...reply, weight: 2 }), 'invalid_value', 87],
  ['a weight on a user', chat({ ...user, weight: 1 }, reply), 'invalid_value', 52],
  ['a name with a space', chat({ ...user, name: 'a b' }, reply), 'invalid_value', 50],
  ['tool calls of a user', chat({ ...user, tool_calls: [call('{}')] }, reply), 'unknown_field', 56],
  ['a tool call whose arguments are an object', chat(user, { role: 'assistant', tool_calls: [call({})] }), 'invalid_value', 141],
  ['a tool call whose arguments are not JSON', chat(user, { role: 'assistant', tool_calls: [call('{')] }), 'invalid_value', 141],
  ['an answer of a tool without its call', chat(user, { role: 'tool', content: 'x' }, reply), 'invalid_value', 44],
  ['tools that are an object', `{"tools":{},${good.slice(1)}`, 'invalid_value', 10],
  ['a tool without a name', `{"tools":[{"type":"function","function":{}}],${good.slice(1)}`, 'invalid_value', 41],
  ['a completion among chats', '{"prompt":"a","completion":"b"}', 'mixed_formats', 1],
  ['2,049 messages', chat(...Array.from({ length: 2049 }, () => reply)), 'too_many_messages', 13],
])('%s', (_name, row, code, column) => {
  test(`is ${code} in line 3, column ${column}`, async () => {
    const report = await validate(bytes(file(row), 1 << 16));
    expect(report.data).toEqual([{ line: 3, column, code, message: expect.any(String) }]);
    expect(report.faults).toEqual({ [code]: 1 });
    expect(report.kind).toBe('chat');
  });
});

test('tools, tool calls, names and weights as OpenAI has them are good', async () => {
  const row = JSON.stringify({
    messages: [
      { role: 'developer', content: 'be brief' },
      { role: 'user', content: 'weather?', name: 'ann' },
      { role: 'assistant', content: null, tool_calls: [call('{"city":"Paris"}')], weight: 0 },
      { role: 'tool', tool_call_id: 'c', content: 'rain' },
      { role: 'assistant', content: 'Rain.', weight: 1 },
    ],
    tools: [{ type: 'function', function: { name: 'f', description: 'd', parameters: { type: 'object', properties: {} }, strict: true } }],
    parallel_tool_calls: false,
  });
  expect(await validate(bytes(`${row}\n`.repeat(10)))).toMatchObject({ faults: {}, kind: 'chat' });
});

test('completion rows are good, and their faults found', async () => {
  const row = '{"prompt":"a","completion":"b"}';
  expect(await validate(bytes(`${row}\n`.repeat(10)))).toMatchObject({ faults: {}, kind: 'completion' });
  const bad = [
    '{"prompt":"a"}',
    '{"prompt":1,"completion":"b"}',
    '{"prompt":"a","completion":""}',
    '{"prompt":"a","completion":"b","x":1}',
  ];
  const report = await validate(bytes(`${row}\n`.repeat(10) + bad.join('\n')));
  expect(report.data.map(({ code, column }) => [code, column])).toEqual([
    ['invalid_content', 1],
    ['invalid_content', 11],
    ['invalid_content', 28],
    ['unknown_field', 36],
  ]);
});

test('an empty file, blank lines alone, nine examples', async () => {
  for (const text of ['', '\n\n']) expect(await validate(bytes(text))).toMatchObject({ rows: 0, kind: null, faults: { empty_file: 1 } });
  expect(await validate(bytes(`${good}\n`.repeat(9)))).toMatchObject({ rows: 9, faults: { invalid_n_examples: 1 } });
});

test('UTF-16, with and without a byte-order mark, is one fault', async () => {
  const text = `${good}\n`.repeat(10);
  const little = Buffer.from(text, 'utf16le');
  for (const encoded of [Buffer.concat([Buffer.from([0xff, 0xfe]), little]), little, Buffer.from(little).swap16()]) {
    const report = await validate(bytes(encoded));
    expect(report.faults).toEqual({ invalid_encoding: 1 });
    expect(report.data[0]!.message).toContain('UTF-16');
  }
});

test('all faults are counted, the first are kept', async () => {
  const report = await validate(bytes('x\n'.repeat(500), 100), { maxFaults: 3 });
  expect(report.faults).toEqual({ invalid_json: 500 });
  expect(report.data.map(({ line }) => line)).toEqual([1, 2, 3]);
});

test('a source that fails is not swallowed', async () => {
  async function* failing() {
    yield Buffer.from(good);
    throw new Error('connection lost');
  }
  await expect(validate(failing())).rejects.toThrow('connection lost');
});

test('a long file is read in constant memory', async () => {
  const block = Buffer.from(`${good}\n`.repeat(1000));
  async function* many() {
    for (let i = 0; i < 100; i++) yield block;
  }
  const before = process.memoryUsage().heapUsed;
  let rows = 0;
  for await (const row of trainingRows(many())) if (!('fault' in row)) rows += 1;
  expect(rows).toBe(100_000);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(40 * 1024 * 1024);
});
