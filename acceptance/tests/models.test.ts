import { beforeAll, describe, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { openai, raw } from '../harness/client.js';
import { chatRows, evalRows, jobEnds, smallJob, until, upload } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
let model = '';
const alias = `production-${Date.now()}`;

beforeAll(async () => {
  const file = await upload(client, chatRows(32));
  const job = await jobEnds(client, (await client.fineTuning.jobs.create(smallJob(file.id, { suffix: 'models' }))).id);
  model = job.fine_tuned_model ?? '';
  expect(model).not.toBe('');
}, 180_000);

const tunefleet = async (id: string): Promise<Record<string, unknown>> =>
  ((await client.models.retrieve(id)) as unknown as { tunefleet: Record<string, unknown> }).tunefleet;

describe('models', () => {
  test('bases and versions are listed and retrieved, ids with colons and escaped slashes', async () => {
    const ids = (await client.models.list()).data.map((m) => m.id);
    expect(ids).toEqual(expect.arrayContaining(['tunefleet-base', model]));
    expect(await tunefleet('tunefleet-base')).toMatchObject({ kind: 'base' });
    expect(await tunefleet(model)).toMatchObject({
      kind: 'version',
      base: 'tunefleet-base',
      weights_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      manifest_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    await expect(client.models.retrieve('ft:org/Qwen3-0.6B:acme:suf:abc:ckpt-step-88')).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
  });

  test('a model leaves as a tar stream; one that was tuned in full has no adapter', async () => {
    const path = `/models/${encodeURIComponent(model)}/export`;
    const merged = await client.get<Response>(path, { query: { format: 'merged' }, __binaryResponse: true });
    expect([merged.status, merged.headers.get('content-type')]).toEqual([200, 'application/x-tar']);
    const bytes = Buffer.from(await merged.arrayBuffer());
    expect(bytes.includes('model.safetensors')).toBe(true);
    // the mark of a whole archive
    expect(bytes.subarray(-1024).every((byte) => byte === 0)).toBe(true);
    for (const [format, code] of [
      ['peft', 'invalid_value'],
      ['gguf', 'not_supported'],
    ])
      expect((await raw('GET', `${path}?format=${format}`)).body.error).toMatchObject({ code, param: 'format' });
  });

  test('a base cannot be deleted, a version can', async () => {
    await expect(client.models.delete('tunefleet-base')).rejects.toMatchObject({ status: 400 });
  });
});

describe('answers', () => {
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'I lost my card' }];

  test('chat: greedy twice the same, with usage', async () => {
    const [a, b] = await Promise.all([0, 1].map(() => client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 12 })));
    expect(a?.choices[0]?.message.content).toBe(b?.choices[0]?.message.content);
    expect(a?.usage?.total_tokens).toBe((a?.usage?.prompt_tokens ?? 0) + (a?.usage?.completion_tokens ?? 0));
    expect(['stop', 'length']).toContain(a?.choices[0]?.finish_reason);
  });

  test('chat: sampled with a seed repeats, another seed need not', async () => {
    const ask = async (seed: number): Promise<string> =>
      (await client.chat.completions.create({ model: 'tunefleet-base', messages, temperature: 1.2, seed, max_tokens: 16 })).choices[0]
        ?.message.content ?? '';
    expect(await ask(1)).toBe(await ask(1));
    expect(new Set(await Promise.all([1, 2, 3, 4].map(ask))).size).toBeGreaterThan(1);
  });

  test('chat: a stream says what the whole answer says, and its usage at the end', async () => {
    const whole = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 12 });
    const stream = await client.chat.completions.create({
      model,
      messages,
      temperature: 0,
      max_tokens: 12,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = '';
    let usage: OpenAI.CompletionUsage | null | undefined;
    let finish: string | null | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      finish = chunk.choices[0]?.finish_reason ?? finish;
      usage = chunk.usage ?? usage;
    }
    expect([text, finish]).toEqual([whole.choices[0]?.message.content, whole.choices[0]?.finish_reason]);
    expect(usage).toMatchObject({ prompt_tokens: whole.usage?.prompt_tokens, completion_tokens: whole.usage?.completion_tokens });
  });

  test('completions, whole and streamed, with a stop string', async () => {
    const ask = { model: 'tunefleet-base', prompt: 'How do I', temperature: 1, max_tokens: 24 };
    // a seed whose text is long enough to be stopped in the middle
    let seed = 0;
    let text = '';
    for (; text.length < 12 && seed < 50; seed++) {
      const whole = await client.completions.create({ ...ask, seed });
      expect(whole.object).toBe('text_completion');
      text = whole.choices[0]?.text ?? '';
    }
    const drawn = { ...ask, seed: seed - 1 };
    const stop = text.slice(6, 9);
    const stopped = await client.completions.create({ ...drawn, stop });
    expect(stopped.choices[0]).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finish_reason: 'stop' });
    let streamed = '';
    for await (const chunk of await client.completions.create({ ...drawn, stream: true })) streamed += chunk.choices[0]?.text ?? '';
    expect(streamed).toBe(text);
  });

  test('unknown model, unknown key, what is not built, a prompt beyond the context', async () => {
    await expect(client.chat.completions.create({ model: 'nobody', messages })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    const ask = (body: object) => raw('POST', '/chat/completions', { model, messages, ...body });
    expect((await ask({ colour: 1 })).body.error).toMatchObject({ code: 'unknown_parameter', param: 'colour' });
    expect((await ask({ temperature: 3 })).body.error).toMatchObject({ code: 'invalid_value', param: 'temperature' });
    expect((await ask({ web_search_options: {} })).body.error).toMatchObject({ code: 'not_supported', param: 'web_search_options' });
    expect((await ask({ n: 2 })).body.error).toMatchObject({ code: 'not_supported', param: 'n' });
    expect((await ask({ messages: [] })).body.error).toMatchObject({ code: 'invalid_value', param: 'messages' });
    expect((await ask({ messages: [{ role: 'user', content: 'word '.repeat(20_000) }] })).body.error).toMatchObject({
      code: 'context_length_exceeded',
    });
  });
});

describe('aliases and gates', () => {
  test('an alias onto a base needs no gate and stands for it everywhere', async () => {
    const put = await raw('PUT', '/model_aliases/gpt-4o-mini-2024-07-18', { model: 'tunefleet-base' });
    expect([put.status, put.body]).toMatchObject([200, { id: 'gpt-4o-mini-2024-07-18', object: 'model_alias', model: 'tunefleet-base' }]);
    const answer = await client.chat.completions.create({
      model: 'gpt-4o-mini-2024-07-18',
      messages: [{ role: 'user', content: 'x' }],
      max_tokens: 1,
    });
    expect(answer.choices).toHaveLength(1);
    const listed = await raw('GET', '/model_aliases');
    expect((listed.body['data'] as { id: string }[]).map((a) => a.id)).toContain('gpt-4o-mini-2024-07-18');
    expect((await raw('DELETE', '/model_aliases/gpt-4o-mini-2024-07-18')).body).toMatchObject({ deleted: true });
    expect((await raw('GET', '/model_aliases/gpt-4o-mini-2024-07-18')).status).toBe(404);
  });

  test('promotion is refused without a gate, without a run, below its threshold, and goes through when it passes', async () => {
    expect((await raw('PUT', `/model_aliases/${alias}`, { model })).body.error).toMatchObject({ code: 'gate_missing' });
    const made = await client.evals.create({
      name: 'not empty',
      data_source_config: {
        type: 'custom',
        item_schema: { type: 'object', properties: { text: { type: 'string' } } },
        include_sample_schema: true,
      },
      testing_criteria: [
        { type: 'string_check', name: 'differs', input: '{{sample.output_text}}', reference: '{{item.text}}', operation: 'ne' },
      ],
    });
    const gate = (rule: object) => raw('PUT', `/model_aliases/${alias}/gate`, { rules: [{ eval: made.id, metric: 'pass_rate', ...rule }] });
    expect((await gate({ min: 1 })).status).toBe(200);
    const before = await raw('PUT', `/model_aliases/${alias}`, { model });
    expect([before.status, before.body.error]).toMatchObject([
      400,
      { code: 'gate_not_passed', tunefleet: { rules: [{ eval: made.id, required: 1, actual: null, passed: false }] } },
    ]);

    const run = await client.evals.runs.create(made.id, {
      data_source: {
        type: 'completions',
        model,
        source: { type: 'file_content', content: evalRows(4) },
        input_messages: { type: 'template', template: [{ type: 'message', role: 'user', content: '{{item.text}}' }] },
        sampling_params: { temperature: 0, max_completion_tokens: 4 },
      },
    });
    await until(
      () => client.evals.runs.retrieve(run.id, { eval_id: made.id }),
      (r) => r.status === 'completed',
      60,
    );
    expect((await gate({ min: 1, min_gain_over_base: 0.5 })).status).toBe(200);
    const gain = await raw('PUT', `/model_aliases/${alias}`, { model });
    expect(gain.body.error).toMatchObject({
      code: 'gate_not_passed',
      tunefleet: {
        rules: [
          { actual: 1, passed: true },
          { actual: null, passed: false },
        ],
      },
    });
    expect((await gate({ min: 1 })).status).toBe(200);
    const moved = await raw('PUT', `/model_aliases/${alias}`, { model });
    expect([moved.status, moved.body]).toMatchObject([200, { model }]);
    expect(await tunefleet(model)).toMatchObject({ aliases: [alias] });
    await expect(client.models.delete(model)).rejects.toMatchObject({ status: 400, code: 'model_in_use' });
    await raw('DELETE', `/model_aliases/${alias}`);
    expect(await client.models.delete(model)).toEqual({ id: model, object: 'model', deleted: true });
    await expect(client.models.retrieve(model)).rejects.toMatchObject({ status: 404 });
  }, 120_000);
});

coversInventory('models.test.ts');
