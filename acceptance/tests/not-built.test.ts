import { expect, test } from '@jest/globals';
import { toFile } from 'openai';
import { openai, raw } from '../harness/client.js';
import { coversInventory } from '../harness/inventory.js';

const client = openai();
const refused = { status: 400, code: 'not_supported' };

test('uploads', async () => {
  await expect(client.uploads.create({ bytes: 1, filename: 'a', mime_type: 'text/plain', purpose: 'fine-tune' })).rejects.toMatchObject(
    refused,
  );
  await expect(client.uploads.parts.create('upload_x', { data: await toFile(Buffer.from('x'), 'x') })).rejects.toMatchObject(refused);
  await expect(client.uploads.complete('upload_x', { part_ids: [] })).rejects.toMatchObject(refused);
  await expect(client.uploads.cancel('upload_x')).rejects.toMatchObject(refused);
});

test('checkpoint permissions', async () => {
  const { permissions } = client.fineTuning.checkpoints;
  const id = 'ft:tunefleet-base:default:x:y:ckpt-step-1';
  await expect(permissions.create(id, { project_ids: ['x'] })).rejects.toMatchObject(refused);
  await expect(permissions.retrieve(id)).rejects.toMatchObject(refused);
  await expect(permissions.delete('cp_x', { fine_tuned_model_checkpoint: id })).rejects.toMatchObject(refused);
});

test('alpha graders', async () => {
  const grader = { type: 'string_check' as const, name: 'x', input: 'a', reference: 'a', operation: 'eq' as const };
  await expect(client.fineTuning.alpha.graders.run({ grader, model_sample: 'a' })).rejects.toMatchObject(refused);
  await expect(client.fineTuning.alpha.graders.validate({ grader })).rejects.toMatchObject(refused);
});

test('an unknown address is a 404 in the same shape', async () => {
  const answer = await raw('GET', '/nowhere');
  expect([answer.status, answer.body.error?.code]).toEqual([404, 'unknown_url']);
});

coversInventory('not-built.test.ts');
