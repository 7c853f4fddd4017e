import { existsSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { chatRows, evalRows, until, upload } from '../harness/data.js';
import { Fleet } from '../harness/fleet.js';
import { createJob, outcomeOf, patientClient, trainingFile } from './job.js';
import { wholeAgain } from './recovery.js';
import { draws } from './seed.js';

let fleet: Fleet;
let client: OpenAI;
let file: string;

beforeAll(async () => {
  fleet = await Fleet.start();
  client = patientClient(fleet);
  file = await trainingFile(client);
}, 120_000);

afterAll(async () => {
  await fleet?.remove();
}, 60_000);

const jobsWith = async (tag: string): Promise<string[]> =>
  (await client.fineTuning.jobs.list({ metadata: { tag } })).data.map((job) => job.id);

/** The unmodified SDK; `killed` runs once, a moment (ms) after its first POST was sent. */
function retrying(moment: number, killed: () => void): OpenAI {
  let first = true;
  return new OpenAI({
    baseURL: `${fleet.url}/v1`,
    apiKey: fleet.key,
    maxRetries: 30,
    fetch: (input, init) => {
      if (first && init?.method?.toUpperCase() === 'POST') {
        first = false;
        setTimeout(killed, moment);
      }
      return fetch(input, init);
    },
  });
}

test.each([['gateway'], ['trainer'], ['dataset'], ['model-registry'], ['nats-server']])(
  '%s killed between POST and answer: the retries of the SDK make one job',
  async (victim) => {
    const tag = `once-${victim}`;
    const sdk = retrying(draws(tag)(0, 40), () => fleet.kill(victim));
    const job = await createJob(sdk, file, { metadata: { tag } });
    await wholeAgain(fleet);
    expect(await jobsWith(tag)).toEqual([job.id]);
    await client.fineTuning.jobs.cancel(job.id);
  },
);

test.each([['gateway'], ['dataset']])('%s killed between the upload and its answer: one file', async (victim) => {
  const name = `once-${victim}.jsonl`;
  const sdk = retrying(draws(name)(0, 60), () => fleet.kill(victim));
  const made = await upload(sdk, chatRows(200), 'fine-tune', name);
  await wholeAgain(fleet);
  const files: string[] = [];
  for await (const { id, filename } of client.files.list()) if (filename === name) files.push(id);
  expect(files).toEqual([made.id]);
  await until(
    () => client.files.retrieve(made.id),
    ({ status }) => status === 'processed',
    60,
  );
});

/** Objects of a file's bytes in the fleet's folder. */
const stored = (): string[] => {
  const folder = join(fleet.data, 'objects', 'default', 'files');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};
const listed = async (): Promise<string[]> => {
  const ids: string[] = [];
  for await (const { id, purpose } of client.files.list()) if (purpose !== 'fine-tune-results') ids.push(id);
  return ids.sort();
};

test('dataset killed in mid-upload: nothing is left of it', async () => {
  const before = stored();
  const head = '--x\r\ncontent-disposition: form-data; name="file"; filename="half.jsonl"\r\n\r\n';
  const upstream = request(`${fleet.url}/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${fleet.key}`, 'content-type': 'multipart/form-data; boundary=x' },
  });
  const ended = new Promise<void>((resolve) => upstream.on('error', () => resolve()).on('response', () => resolve()));
  upstream.write(head + chatRows(500));
  // Some of it has reached the store.
  const drafts = (): string[] => readdirSync(join(fleet.data, 'objects'), { recursive: true }).map(String);
  const known = new Set(drafts());
  await until(async () => drafts().some((path) => !known.has(path)) || known.size > 0, Boolean, 10);
  fleet.kill('dataset');
  await ended;
  upstream.destroy();
  await wholeAgain(fleet);
  expect(stored()).toEqual(before);
  expect((await listed()).length).toBeGreaterThan(0);
});

test('dataset killed while it validates, then while it prepares: the file is processed, the job succeeds', async () => {
  const made = await upload(client, chatRows(2000), 'fine-tune', 'validated.jsonl');
  fleet.kill('dataset');
  await until(
    () => client.files.retrieve(made.id),
    ({ status }) => status === 'processed',
    60,
  );
  const job = await createJob(client, made.id, { tunefleet: { max_steps: 3 } });
  fleet.kill('dataset');
  await outcomeOf(client, job.id);
  expect(stored()).toEqual(expect.arrayContaining([made.id]));
  expect(stored().filter((id) => id.startsWith('file-'))).toEqual(expect.arrayContaining(await listed()));
});

test.each([['evaluator'], ['inference']])('an eval run survives kill -9 of %s', async (victim) => {
  const run = async (): Promise<{ evalId: string; id: string }> => {
    const made = await client.evals.create({
      name: `survives ${victim}`,
      data_source_config: { type: 'custom', item_schema: { type: 'object' }, include_sample_schema: true },
      testing_criteria: [
        { type: 'string_check', name: 'differs', input: '{{sample.output_text}}', reference: '{{item.intent}}', operation: 'ne' },
      ],
    });
    const content = evalRows(ITEMS);
    const started = await client.evals.runs.create(made.id, {
      data_source: {
        type: 'completions',
        model: 'tunefleet-base',
        source: { type: 'file_content', content },
        input_messages: { type: 'template', template: [{ type: 'message', role: 'user', content: '{{item.text}}' }] },
        sampling_params: { temperature: 0, max_completion_tokens: 8 },
      },
    } as never);
    return { evalId: made.id, id: started.id };
  };
  const outputs = async ({ evalId, id }: { evalId: string; id: string }): Promise<string[]> => {
    const ended = await until(
      () => client.evals.runs.retrieve(id, { eval_id: evalId }),
      ({ status }) => !['queued', 'in_progress'].includes(status),
      120,
    );
    expect(ended).toMatchObject({ status: 'completed', result_counts: { total: ITEMS, errored: 0 } });
    const items: { index: number; text: string }[] = [];
    for await (const item of client.evals.runs.outputItems.list(id, { eval_id: evalId, limit: 100 }))
      items.push({ index: item.datasource_item_id, text: JSON.stringify(item.sample.output) });
    return items.sort((a, b) => a.index - b.index).map(({ index, text }) => `${index} ${text}`);
  };
  const undisturbed = await outputs(await run());
  const disturbed = await run();
  await until(
    () => client.evals.runs.retrieve(disturbed.id, { eval_id: disturbed.evalId }),
    ({ result_counts: { passed, failed } }) => passed + failed >= draws(victim)(0, 2) * 32,
    60,
  );
  fleet.kill(victim);
  expect(await outputs(disturbed)).toEqual(undisturbed);
  expect(undisturbed).toHaveLength(ITEMS);
});

const ITEMS = 128;
