import { expect } from '@jest/globals';
import { rows } from './dataset-stand-in.js';
import { BODY, useFleet } from './use-fleet.js';
import { ended } from './wait.js';

const { fleet, test } = useFleet(async (started) => {
  started.dataset.add('file-train', rows(40));
  await started.end('trainer-pod', 'SIGTERM');
  await started.run('trainer-pod', { TUNEFLEET_ENGINE_PROVIDER: 'auto' });
});

test('a pod that chooses what to compute on says in one event what, and why', async () => {
  const id = await fleet.create(BODY);
  expect((await ended(fleet, id)).status).toBe('succeeded');
  const said = (await fleet.events(id)).map(({ message }) => message).filter((message) => message.startsWith('Training on '));
  const choice = /^Training on (cuda: a CUDA device answers|webgpu: a GPU answers: .+|cpu: no cuda \(.+\), no webgpu \(.+\))/;
  expect(said).toEqual([expect.stringMatching(choice)]);
}, 60_000);
