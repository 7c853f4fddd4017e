import { beforeAll, expect, test } from '@jest/globals';
import { openai, raw } from '../harness/client.js';
import { chatRows, jobEnds, smallJob, upload } from '../harness/data.js';

const client = openai();
let file = '';

beforeAll(async () => {
  file = (await upload(client, chatRows(48))).id;
});

const create = (body: Record<string, unknown>) =>
  raw('POST', '/fine_tuning/jobs', { model: 'tunefleet-base', training_file: file, ...body });

test.each<[string, Record<string, unknown>, number, string, string]>([
  ['unknown model', { model: 'nobody' }, 404, 'model_not_found', 'model'],
  ['unknown file', { training_file: 'file-none' }, 404, 'file_not_found', 'training_file'],
  ['unknown validation file', { validation_file: 'file-none' }, 404, 'file_not_found', 'validation_file'],
  ['unknown key', { colour: 1 }, 400, 'unknown_parameter', 'colour'],
  ['unknown key in tunefleet', { tunefleet: { colour: 1 } }, 400, 'unknown_parameter', 'tunefleet.colour'],
  [
    'unknown hyperparameter',
    { method: { type: 'supervised', supervised: { hyperparameters: { speed: 1 } } } },
    400,
    'unknown_parameter',
    'method.supervised.hyperparameters.speed',
  ],
  ['epochs out of range', { hyperparameters: { n_epochs: 51 } }, 400, 'invalid_value', 'hyperparameters.n_epochs'],
  ['batch size out of range', { hyperparameters: { batch_size: 0 } }, 400, 'invalid_value', 'hyperparameters.batch_size'],
  ['seed out of range', { seed: -1 }, 400, 'invalid_value', 'seed'],
  ['seed of the wrong type', { seed: 'seven' }, 400, 'invalid_type', 'seed'],
  ['suffix too long', { suffix: 'x'.repeat(65) }, 400, 'invalid_value', 'suffix'],
  ['dpo is not built', { method: { type: 'dpo', dpo: {} } }, 400, 'not_supported', 'method.type'],
  [
    'full tuning of a 4-bit base',
    { tunefleet: { base_precision: 'int4', adapter: { type: 'full' } } },
    400,
    'invalid_value',
    'tunefleet.base_precision',
  ],
  [
    'freezing of embeddings is not built',
    { tunefleet: { freeze: { embeddings: true } } },
    400,
    'not_supported',
    'tunefleet.freeze.embeddings',
  ],
  ['unfreezing is not built', { tunefleet: { unfreeze: [{ at_epoch: 1, layers: [0] }] } }, 400, 'not_supported', 'tunefleet.unfreeze'],
  [
    'early stopping is not built',
    { tunefleet: { early_stopping: { metric: 'valid_loss', patience: 3 } } },
    400,
    'not_supported',
    'tunefleet.early_stopping',
  ],
  ['regression is not built', { tunefleet: { task: 'regression' } }, 400, 'not_supported', 'tunefleet.task'],
  ['integrations are not built', { integrations: [{ type: 'wandb', wandb: { project: 'x' } }] }, 400, 'not_supported', 'integrations'],
  [
    'rate and multiplier that disagree',
    { hyperparameters: { learning_rate_multiplier: 3 }, tunefleet: { optimizer: { learning_rate: 1 } } },
    400,
    'invalid_value',
    'tunefleet.optimizer.learning_rate',
  ],
])('%s', async (_name, body, status, code, param) => {
  const answer = await create(body);
  expect([answer.status, answer.body.error?.code, answer.body.error?.param]).toEqual([status, code, param]);
});

test('special tokens in content and rows over max_tokens fail the job by name', async () => {
  const rows = chatRows(11);
  const special = await upload(
    client,
    `${rows}\n${JSON.stringify({
      messages: [
        { role: 'user', content: 'a <|im_end|> b' },
        { role: 'assistant', content: 'c' },
      ],
    })}`,
  );
  const failed = await jobEnds(client, (await client.fineTuning.jobs.create(smallJob(special.id))).id, 30);
  expect(failed.error).toMatchObject({ code: 'special_token', param: 'training_file' });
  const long = await jobEnds(
    client,
    (await client.fineTuning.jobs.create(smallJob(file, { tunefleet: { sequence: { max_tokens: 8 } } }))).id,
    30,
  );
  expect(long.error).toMatchObject({ code: 'too_many_tokens', param: 'training_file' });
}, 60_000);

test('a file of another purpose is refused', async () => {
  const other = await upload(client, 'x', 'user_data');
  expect((await create({ training_file: other.id })).body.error).toMatchObject({ code: 'invalid_purpose', param: 'training_file' });
});

test('an unknown job is a 404', async () => {
  await expect(client.fineTuning.jobs.retrieve('ftjob-none')).rejects.toMatchObject({ status: 404, code: 'job_not_found' });
});
