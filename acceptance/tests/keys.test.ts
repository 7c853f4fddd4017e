import { describe, expect, test } from '@jest/globals';
import { openai, raw } from '../harness/client.js';
import { upload } from '../harness/data.js';
import { coversInventory } from '../harness/inventory.js';

const make = async (project: string, scope: string): Promise<{ id: string; key: string }> => {
  const made = await raw('POST', '/api_keys', { project, scope });
  expect([made.status, made.body]).toMatchObject([200, { project, scope, key: expect.any(String) }]);
  return made.body as unknown as { id: string; key: string };
};

describe('keys', () => {
  test('no key, an unknown and a revoked key are a 401; the class of error is right', async () => {
    await expect(openai({ apiKey: 'sk-unknown-key-of-nobody' }).models.list()).rejects.toMatchObject({
      status: 401,
      code: 'invalid_api_key',
      name: 'Error',
    });
    expect((await raw('GET', '/models', undefined, { authorization: '' })).status).toBe(401);
    const { id, key } = await make('default', 'read');
    expect((await openai({ apiKey: key }).models.list()).data.length).toBeGreaterThan(0);
    expect((await raw('DELETE', `/api_keys/${id}`)).body).toMatchObject({ id, deleted: true });
    await expect(openai({ apiKey: key }).models.list()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  test('a scope that is too small is a 403', async () => {
    const { key } = await make('default', 'read');
    await expect(upload(openai({ apiKey: key }), 'x', 'user_data')).rejects.toMatchObject({ status: 403, code: 'insufficient_scope' });
    const writer = await make('default', 'write');
    expect((await raw('POST', '/api_keys', { project: 'x', scope: 'read' }, { authorization: `Bearer ${writer.key}` })).status).toBe(403);
  });

  test("another project's ids are a 404, its lists are empty", async () => {
    const file = await upload(openai(), 'mine', 'user_data');
    const other = openai({ apiKey: (await make('another', 'write')).key });
    await expect(other.files.retrieve(file.id)).rejects.toMatchObject({ status: 404, code: 'file_not_found' });
    await expect(other.files.delete(file.id)).rejects.toMatchObject({ status: 404 });
    await expect(other.fineTuning.jobs.create({ model: 'tunefleet-base', training_file: file.id })).rejects.toMatchObject({
      status: 404,
      code: 'file_not_found',
      param: 'training_file',
    });
    expect((await other.files.list()).data).toEqual([]);
    expect((await other.fineTuning.jobs.list()).data).toEqual([]);
  });

  test('organization and project headers are accepted, unless they name another known project', async () => {
    expect((await openai({ organization: 'org-x', project: 'proj-nobody' }).models.list()).data.length).toBeGreaterThan(0);
    await make('third', 'read');
    await expect(openai({ project: 'third' }).models.list()).rejects.toMatchObject({ status: 403, code: 'project_mismatch' });
  });

  test('keys are listed without their secret', async () => {
    const { id, key } = await make('default', 'read');
    const listed = await raw('GET', '/api_keys');
    expect(JSON.stringify(listed.body)).toContain(id);
    expect(JSON.stringify(listed.body)).not.toContain(key);
  });
});

coversInventory('keys.test.ts');
