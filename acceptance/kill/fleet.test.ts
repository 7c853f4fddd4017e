import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type OpenAI from 'openai';
import { until } from '../harness/data.js';
import { ROOT } from '../harness/environment.js';
import { Fleet } from '../harness/fleet.js';
import { createJob, metricsOf, outcomeOf, patientClient, STEPS, trainingFile } from './job.js';
import { draws } from './seed.js';

let fleet: Fleet;
let client: OpenAI;
let file: string;
let weights: string;

beforeAll(async () => {
  fleet = await Fleet.start();
  client = patientClient(fleet);
  file = await trainingFile(client);
  ({ weights } = await outcomeOf(client, (await createJob(client, file)).id));
}, 120_000);

afterAll(async () => {
  await fleet?.remove();
}, 60_000);

/** Every process of this fleet, however it was started: each carries the fleet's run folder in its environment (Linux). */
function processes(): number[] {
  const mark = `TUNEFLEET_RUN_DIR=${join(fleet.data, 'run')}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    })
    .map(Number);
}

test('SIGTERM in mid-job drains with a snapshot, exits 0 and leaves no process; the next start finishes the job with the same bytes', async () => {
  const job = await createJob(client, file);
  const step = draws('drain')(5, STEPS - 20);
  await until(
    () => metricsOf(client, job.id),
    (rows) => rows.length >= step,
    120,
  );
  expect(processes().length).toBeGreaterThan(7);
  expect(await fleet.stop()).toBe(0);
  expect(processes()).toEqual([]);
  expect(Object.keys(fleet.pids())).toEqual([]);
  await fleet.launch();
  const outcome = await outcomeOf(client, job.id);
  expect(outcome.weights).toBe(weights);
  expect(outcome.events.map(({ text }) => text)).toContain('The trainer pod was drained; the job goes on from its last snapshot');
  expect(outcome.rows.map((row) => row.step)).toEqual(Array.from({ length: STEPS }, (_, index) => index + 1));
});

test('a second start on the same folder is refused and says by whom it is held', async () => {
  const child = spawn(process.execPath, [join(ROOT, 'deploy/local/dist/main.js')], {
    env: { ...process.env, NODE_OPTIONS: '', TUNEFLEET_DATA: fleet.data, TUNEFLEET_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(1);
  expect(said).toContain(String(fleet.pid('launcher')));
  expect(said).toContain(fleet.data);
  expect((await client.fineTuning.jobs.list()).data.length).toBeGreaterThan(0);
});
