import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import type { OutputItem } from '@tunefleet/contracts';
import { addItems, criteriaOf, grade } from '../src/domain/grade.js';
import { itemCheck } from '../src/domain/item-schema.js';
import { chunked } from '../src/domain/rows.js';
import { emptySummary } from '../src/domain/runs.js';
import { messagesOf } from '../src/domain/sample.js';
import type { EvalRecord } from '../src/store/schemas.js';

const record = (testing_criteria: EvalRecord['testing_criteria']): EvalRecord => ({
  id: 'eval_a',
  project: 'default',
  created_at: 1,
  updated_at: 1,
  schema: 1,
  name: 'a',
  item_schema: {},
  include_sample_schema: true,
  testing_criteria,
  metadata: null,
  data_sha256: null,
});
const check = (operation: string) => ({
  type: 'string_check',
  name: operation,
  input: '{{sample.output_text}}',
  reference: '{{item.answer}}',
  operation,
});
const sample = (content: string | null): OutputItem['sample'] => ({
  input: [],
  output: content === null ? [] : [{ role: 'assistant', content }],
  finish_reason: 'stop',
  model: 'm',
  usage: { total_tokens: 3, completion_tokens: 1, prompt_tokens: 2, cached_tokens: 0 },
  error: null,
  temperature: 0,
  max_completion_tokens: 1,
  top_p: 1,
  seed: 1,
});

describe('a row', () => {
  const criteria = criteriaOf(record([check('eq'), check('ilike')]));
  const fits = itemCheck({ type: 'object', required: ['answer'] });

  test.each([
    ['passes when every criterion passes', { answer: 'yes' }, 'yes', 'pass'],
    ['fails when one fails', { answer: 'yes' }, 'YES', 'fail'],
    ['is errored when the item does not fit the schema', { other: 1 }, 'yes', 'error'],
    ['is errored without an answer', { answer: 'yes' }, null, 'error'],
  ])('%s', (_name, item, answer, status) => {
    const graded = grade(criteria, fits, { item }, sample(answer));
    expect(graded.status).toBe(status);
    expect(graded.sample.error === null).toBe(status !== 'error');
  });

  test('counts, usage and criteria add up over chunks', () => {
    const items = ['yes', 'YES', 'no'].map((answer, index) => ({
      id: String(index),
      object: 'eval.run.output_item' as const,
      run_id: 'r',
      eval_id: 'e',
      created_at: 1,
      datasource_item_id: index,
      datasource_item: {},
      ...grade(criteria, fits, { item: { answer: 'yes' } }, sample(answer)),
    }));
    const once = addItems(emptySummary(2), items);
    expect(once.counts).toEqual({ total: 3, passed: 1, failed: 2, errored: 0 });
    expect(once.criteria).toEqual([
      { passed: 1, failed: 2 },
      { passed: 2, failed: 1 },
    ]);
    expect(addItems(once, items)).toMatchObject({
      counts: { total: 6, passed: 2 },
      usage: { invocation_count: 6, prompt_tokens: 12, completion_tokens: 6 },
    });
  });
});

describe('rows of a file', () => {
  const read = async (text: string): Promise<unknown[][]> => {
    const chunks: unknown[][] = [];
    for await (const chunk of chunked(Readable.from([text]))) chunks.push(chunk);
    return chunks;
  };

  test('come in chunks of 32, blank lines passed over', async () => {
    const chunks = await read(`${Array.from({ length: 33 }, (_, i) => JSON.stringify({ item: { i } })).join('\n\n')}\n`);
    expect(chunks.map((chunk) => chunk.length)).toEqual([32, 1]);
  });

  test.each([
    ['{"item": ', 'invalid_json'],
    ['{"sample": {}}', 'invalid_row'],
    ['[1]', 'invalid_row'],
  ])('%s is refused with its line', async (text, code) => {
    await expect(read(`{"item": {}}\n${text}`)).rejects.toMatchObject({ code, message: expect.stringContaining('Line 2') });
  });
});

test('messages come from a template or from the item itself', () => {
  const template = {
    type: 'completions' as const,
    input_messages: { type: 'template' as const, template: [{ role: 'user' as const, content: 'Say {{item.word}}' }] },
  };
  expect(messagesOf(template, { word: 'hi' })).toEqual([{ role: 'user', content: 'Say hi' }]);
  const reference = { type: 'completions' as const, input_messages: { type: 'item_reference' as const, item_reference: 'item.chat' } };
  expect(messagesOf(reference, { chat: [{ role: 'user', content: 'hi' }] })).toEqual([{ role: 'user', content: 'hi' }]);
  expect(() => messagesOf(reference, { chat: 'hi' })).toThrow();
});
