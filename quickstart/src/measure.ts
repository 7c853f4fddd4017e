import { setTimeout as wait } from 'node:timers/promises';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { Progress } from './display.js';
import { type Row, toEvalFile } from './rows.js';

export interface Accuracy {
  accuracy: number;
  n: number;
}

/** An eval: the model's whole answer must equal the row's intent. */
export async function createEval(client: OpenAI, rows: Row[]): Promise<{ evalId: string; fileId: string }> {
  const file = await client.files.create({ file: await toFile(Buffer.from(toEvalFile(rows)), 'held-out.jsonl'), purpose: 'evals' });
  const created = await client.evals.create({
    name: 'banking77 intents',
    data_source_config: {
      type: 'custom',
      item_schema: { type: 'object', properties: { text: { type: 'string' }, intent: { type: 'string' } }, required: ['text', 'intent'] },
      include_sample_schema: true,
    },
    testing_criteria: [
      { type: 'string_check', name: 'intent', input: '{{sample.output_text}}', reference: '{{item.intent}}', operation: 'eq' },
    ],
  });
  return { evalId: created.id, fileId: file.id };
}

/** Run the eval on one model and wait for its counts. */
export async function measure(client: OpenAI, evalId: string, fileId: string, model: string): Promise<Accuracy> {
  let run = await client.evals.runs.create(evalId, {
    name: model,
    data_source: {
      type: 'completions',
      model,
      source: { type: 'file_id', id: fileId },
      input_messages: { type: 'template', template: [{ type: 'message', role: 'user', content: '{{item.text}}' }] },
      sampling_params: { temperature: 0, max_completion_tokens: 24 },
    },
  });
  const progress = new Progress(`evaluating ${model}`);
  while (run.status === 'queued' || run.status === 'in_progress') {
    await wait(500);
    run = await client.evals.runs.retrieve(run.id, { eval_id: evalId });
    const { passed, failed, errored, total } = run.result_counts;
    progress.show(passed + failed + errored, total, `${passed} right`);
  }
  progress.end();
  const { passed, total } = run.result_counts;
  if (run.status !== 'completed') throw new Error(`the eval run on ${model} ended ${run.status}`);
  return { accuracy: passed / total, n: total };
}
