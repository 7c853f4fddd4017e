import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as contracts from '@tunefleet/contracts';
import { type App, createApp } from '../src/app.js';
import { createLogger } from '../src/logger.js';
import { closeSchema } from '../src/schema/close.js';
import { postExtraKeys } from '../src/testing/extra-keys.js';

const key = 'k'.repeat(32);
const bodies = Object.entries(contracts).filter(([name]) => name.endsWith('Body')) as [string, object][];
let app: App;
beforeAll(async () => {
  app = await createApp({
    name: 'test',
    config: { TUNEFLEET_IDENTITY_KEY: key },
    logger: createLogger('test', 'silent'),
    title: 'Bodies',
    checks: {},
  });
  for (const [name, body] of bodies) app.post(`/v1/${name}/:id`, { schema: { body } }, async () => ({}));
});
afterAll(() => app.close());

test('an extra key at each level of every public body is refused by name', async () => {
  const { posted, failures } = await postExtraKeys(app, key);
  expect(failures).toEqual([]);
  expect(posted).toBeGreaterThan(bodies.length);
});

test('every public body uses only keywords that are checked', () => {
  for (const [, body] of bodies) expect(() => closeSchema(body)).not.toThrow();
});
