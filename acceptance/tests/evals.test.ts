import { describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { openai, raw } from '../harness/client.js';
import { evalRows, until } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();

const body = (more: object = {}): OpenAI.EvalCreateParams =>
  ({
    name: 'intents',
    data_source_config: {
      type: 'custom',
      item_schema: { type: 'object', properties: { text: { type: 'string' }, intent: { type: 'string' } }, required: ['text'] },
      include_sample_schema: true,
    },
    testing_criteria: [
      { type: 'string_check', name: 'differs', input: '{{sample.output_text}}', reference: '{{item.text}}', operation: 'ne' },
      { type: 'string_check', name: 'letters', input: '{{item.intent}}', reference: '_', operation: 'like' },
    ],
    metadata: { team: 'a' },
    ...more,
  }) as OpenAI.EvalCreateParams;

const completions = (source: object, model = 'tunefleet-base'): OpenAI.Evals.RunCreateParams =>
  ({
    name: 'run',
    data_source: {
      type: 'completions',
      model,
      source,
      input_messages: { type: 'template', template: [{ type: 'message', role: 'user', content: '{{item.text}}' }] },
      sampling_params: { temperature: 0, max_completion_tokens: 3 },
    },
  }) as OpenAI.Evals.RunCreateParams;

const ended = (evalId: string, run: string): Promise<OpenAI.Evals.RunRetrieveResponse> =>
  until(
    () => client.evals.runs.retrieve(run, { eval_id: evalId }),
    (r) => !['queued', 'in_progress'].includes(r.status),
    60,
  );

describe('evals', () => {
  test('create answers 201; retrieve, update, list, delete', async () => {
    const answer = await client.evals.create(body()).withResponse();
    expect(answer.response.status).toBe(201);
    const made = answer.data;
    expect(made).toMatchObject({
      object: 'eval',
      name: 'intents',
      metadata: { team: 'a' },
      data_source_config: { type: 'custom', schema: { required: ['item', 'sample'] } },
    });
    expect((await client.evals.retrieve(made.id)).testing_criteria).toHaveLength(2);
    expect(await client.evals.update(made.id, { name: 'renamed', metadata: { team: 'b' } })).toMatchObject({
      id: made.id,
      name: 'renamed',
      metadata: { team: 'b' },
    });
    const second = await client.evals.create(body());
    const oldest = (await client.evals.list({ limit: 100 })).data.map((e) => e.id);
    expect(oldest.indexOf(made.id)).toBeLessThan(oldest.indexOf(second.id));
    expect((await client.evals.list({ order: 'desc', limit: 1 })).data[0]?.id).toBe(second.id);
    expect(await client.evals.delete(made.id)).toEqual({ object: 'eval.deleted', deleted: true, eval_id: made.id });
    await expect(client.evals.retrieve(made.id)).rejects.toMatchObject({ status: 404, code: 'eval_not_found' });
  });

  test.each<[string, object, string, string]>([
    ['unknown key', { colour: 1 }, 'unknown_parameter', 'colour'],
    [
      'grader that is not built',
      {
        testing_criteria: [
          { type: 'text_similarity', name: 'x', input: 'a', reference: 'b', evaluation_metric: 'bleu', pass_threshold: 0.5 },
        ],
      },
      'not_supported',
      'testing_criteria.0.type',
    ],
    [
      'unknown operation',
      { testing_criteria: [{ type: 'string_check', name: 'x', input: 'a', reference: 'b', operation: 'same' }] },
      'invalid_value',
      'testing_criteria.0.operation',
    ],
    ['logs', { data_source_config: { type: 'logs' } }, 'not_supported', 'data_source_config.type'],
    ['no criteria', { testing_criteria: [] }, 'invalid_value', 'testing_criteria'],
  ])('%s is refused by name', async (_name, more, code, param) => {
    const answer = await raw('POST', '/evals', body(more));
    expect([answer.status, answer.body.error?.code, answer.body.error?.param]).toEqual([400, code, param]);
  });
});

describe('runs', () => {
  test('on a file, by the base: counts, usage, items; listed by status; deleted', async () => {
    const made = await client.evals.create(body());
    const file = await client.files.create({
      file: await toFile(
        Buffer.from(
          evalRows(40)
            .map((row) => JSON.stringify(row))
            .join('\n'),
        ),
        'rows.jsonl',
      ),
      purpose: 'evals',
    });
    const created = await client.evals.runs.create(made.id, completions({ type: 'file_id', id: file.id })).withResponse();
    expect(created.response.status).toBe(201);
    const run = await ended(made.id, created.data.id);
    expect(run).toMatchObject({
      status: 'completed',
      model: 'tunefleet-base',
      eval_id: made.id,
      error: null,
      result_counts: { total: 40, errored: 0 },
    });
    expect(run.result_counts.passed + run.result_counts.failed).toBe(40);
    expect(run.per_model_usage?.[0]).toMatchObject({ model_name: 'tunefleet-base', invocation_count: 40 });
    expect(run.per_testing_criteria_results?.map((c) => [c.testing_criteria, c.passed + c.failed])).toEqual([
      ['differs', 40],
      ['letters', 40],
    ]);

    const items: number[] = [];
    for await (const item of client.evals.runs.outputItems.list(run.id, { eval_id: made.id, limit: 7 }))
      items.push(item.datasource_item_id);
    expect(items).toEqual(Array.from({ length: 40 }, (_, i) => i));
    const passed = await client.evals.runs.outputItems.list(run.id, { eval_id: made.id, limit: 100, status: 'pass', order: 'desc' });
    expect(passed.data).toHaveLength(run.result_counts.passed);
    const one = await client.evals.runs.outputItems.retrieve(passed.data[0]?.id ?? '', { eval_id: made.id, run_id: run.id });
    expect(one).toMatchObject({ status: 'pass', sample: { model: 'tunefleet-base', temperature: 0, max_completion_tokens: 3 } });

    expect((await client.evals.runs.list(made.id, { status: 'completed' })).data.map((r) => r.id)).toEqual([run.id]);
    expect((await client.evals.runs.list(made.id, { status: 'failed' })).data).toEqual([]);
    expect(await client.evals.runs.delete(run.id, { eval_id: made.id })).toMatchObject({ deleted: true, run_id: run.id });
    await expect(client.evals.runs.retrieve(run.id, { eval_id: made.id })).rejects.toMatchObject({ status: 404 });
  }, 120_000);

  test('on answers in the rows (jsonl), an item that does not fit is errored', async () => {
    const made = await client.evals.create(body());
    const content = [
      { item: { text: 'a', intent: 'x_y' }, sample: { output_text: 'b' } },
      { item: { text: 'a', intent: 'x_y' }, sample: { output_text: 'a' } },
      { item: { intent: 'x_y' }, sample: { output_text: 'a' } },
    ];
    const run = await ended(
      made.id,
      (await client.evals.runs.create(made.id, { data_source: { type: 'jsonl', source: { type: 'file_content', content } } })).id,
    );
    expect(run).toMatchObject({ status: 'completed', result_counts: { total: 3, passed: 1, failed: 1, errored: 1 } });
    expect(run.data_source).toMatchObject({ type: 'jsonl', source: { type: 'file_content', content } });
  });

  test('cancel on both paths', async () => {
    const made = await client.evals.create(body());
    const many = Array.from({ length: 20 }, () => evalRows(40)).flat();
    const start = async (): Promise<string> =>
      (await client.evals.runs.create(made.id, completions({ type: 'file_content', content: many }))).id;
    const [a, b] = [await start(), await start()];
    expect((await client.evals.runs.cancel(a, { eval_id: made.id })).status).toBe('canceled');
    expect((await raw('POST', `/evals/${made.id}/runs/${b}`)).body).toMatchObject({ id: b, status: 'canceled' });
    await expect(client.evals.runs.cancel(a, { eval_id: made.id })).rejects.toMatchObject({ status: 400, code: 'invalid_state' });
  });

  test('unknown model, file, wrong purpose, unknown key, what is not built', async () => {
    const made = await client.evals.create(body());
    const start = (more: object) =>
      raw('POST', `/evals/${made.id}/runs`, { ...completions({ type: 'file_content', content: evalRows(1) }), ...more });
    const source = completions({ type: 'file_content', content: evalRows(1) }).data_source as unknown as Record<string, unknown>;
    expect((await start({ data_source: { ...source, model: 'nobody' } })).body.error).toMatchObject({ code: 'model_not_found' });
    expect((await start({ data_source: { ...source, source: { type: 'file_id', id: 'file-none' } } })).body.error).toMatchObject({
      code: 'file_not_found',
      param: 'data_source.source.id',
    });
    expect((await start({ data_source: { type: 'responses' } })).body.error).toMatchObject({
      code: 'not_supported',
      param: 'data_source.type',
    });
    expect((await start({ data_source: { ...source, sampling_params: { tools: [{}] } } })).body.error).toMatchObject({
      code: 'not_supported',
      param: 'data_source.sampling_params.tools',
    });
    expect((await start({ colour: 1 })).body.error).toMatchObject({ code: 'unknown_parameter', param: 'colour' });
    expect((await raw('POST', '/evals/eval_none/runs', completions({ type: 'file_content', content: evalRows(1) }))).status).toBe(404);
  });
});

coversInventory('evals.test.ts');
