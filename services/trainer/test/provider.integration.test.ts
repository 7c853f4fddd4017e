import { afterAll, beforeAll, expect } from '@jest/globals';
import type { FineTuningJob } from '@tunefleet/contracts';
import { NATS_MISSING, natsServerPath } from '../../../tools/jest/nats-server.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { rows } from './dataset-stand-in.js';
import { Fleet } from './fleet.js';
import { ended } from './wait.js';

const test = skipUnless(natsServerPath() !== undefined, NATS_MISSING);
let fleet: Fleet;

beforeAll(async () => {
  if (natsServerPath() === undefined) return;
  fleet = await Fleet.start();
  fleet.dataset.add('file-train', rows(40));
  await fleet.end('trainer-pod', 'SIGTERM');
  await fleet.run('trainer-pod', { TUNEFLEET_ENGINE_PROVIDER: 'auto' });
}, 60_000);
afterAll(async () => {
  await fleet?.close();
});

test('a pod that chooses what to compute on says in one event what, and why', async () => {
  const body = { model: 'tiny', training_file: 'file-train', hyperparameters: { n_epochs: 1, batch_size: 4 } };
  const { id } = (await fleet.api<FineTuningJob>('POST', '/jobs', body)).body;
  expect((await ended(fleet, id)).status).toBe('succeeded');
  const events = (await fleet.api<{ data: { message: string }[] }>('GET', `/jobs/${id}/events`)).body.data;
  const said = events.map(({ message }) => message).filter((message) => message.startsWith('Training on '));
  const choice = /^Training on (cuda: a CUDA device answers|webgpu: a GPU answers: .+|cpu: no cuda \(.+\), no webgpu \(.+\))/;
  expect(said).toEqual([expect.stringMatching(choice)]);
}, 60_000);
