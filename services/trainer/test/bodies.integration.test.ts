import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { IDENTITY_HEADER, signIdentity } from '@tunefleet/contracts';
import { type Bus, connect } from '@tunefleet/messaging';
import { openObjectStore } from '@tunefleet/object-store';
import { type App, createLogger } from '@tunefleet/service';
import { postExtraKeys } from '@tunefleet/service/testing';
import { NATS_MISSING, type NatsTestServer, natsServerPath, startNatsServer } from '../../../tools/jest/nats-server.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { trainerApp } from '../src/app.js';
import { openTrainer } from '../src/domain/trainer.js';

const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);
const KEY = 'k'.repeat(32);
const logger = createLogger('trainer', 'silent');
let folder: string;
let nats: NatsTestServer;
let bus: Bus;
let app: App;
let drain: () => Promise<void>;

beforeAll(async () => {
  if (natsServerPath() === undefined) return;
  folder = mkdtempSync(join(tmpdir(), 'tunefleet-trainer-'));
  nats = await startNatsServer();
  bus = await connect({ url: nats.url, name: 'trainer', logger });
  const store = await openObjectStore({ folder, url: 'http://127.0.0.1:1', signingKey: KEY });
  const trainer = await openTrainer({ bus, store, queues: new Map([['default', 1]]), leaseMs: 15_000, podMemory: null });
  drain = () => trainer.work.drain();
  const config = { TUNEFLEET_IDENTITY_KEY: KEY, TUNEFLEET_TRAIN_QUEUES: 'default:1' };
  app = await trainerApp({ config, logger, store, trainer, checkResponses: true });
  await app.ready();
});
afterAll(async () => {
  if (!app) return;
  await app.close();
  await drain();
  await bus.drain();
  await nats.close();
  rmSync(folder, { recursive: true, force: true });
});

test('an extra key at each level of every body is refused by its name', async () => {
  const { posted, failures } = await postExtraKeys(app, KEY);
  expect(failures).toEqual([]);
  expect(posted).toBeGreaterThan(15);
});

test('routes need the identity that the gateway signs, and a scope', async () => {
  expect((await app.inject('/v1/fine_tuning/jobs')).statusCode).toBe(401);
  const headers = { [IDENTITY_HEADER]: signIdentity({ project: 'default', keyId: 'k', scope: 'read' }, KEY) };
  expect((await app.inject({ url: '/v1/fine_tuning/jobs', headers })).json()).toEqual({
    object: 'list',
    data: [],
    has_more: false,
    first_id: null,
    last_id: null,
  });
  expect((await app.inject({ method: 'POST', url: '/v1/fine_tuning/jobs/ftjob-x/cancel', headers })).statusCode).toBe(403);
  expect((await app.inject('/health/ready')).statusCode).toBe(200);
});
