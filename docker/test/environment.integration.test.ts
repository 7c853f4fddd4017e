import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { ROOT } from '../../acceptance/harness/environment.js';
import { EnvironmentFleet } from '../../acceptance/harness/environment-fleet.js';
import { NATS_MISSING, natsServerPath, s3Missing } from '../../tools/jest/servers.js';
import { skipUnless } from '../../tools/jest/skip-unless.js';

// The acceptance suite against the services as compose starts them: by environment alone, two of each that may run side by side.
const missing = natsServerPath() === undefined ? NATS_MISSING : s3Missing();
const test = skipUnless(missing === undefined, missing ?? '');
const SUITES = ['keys', 'files', 'models', 'evals', 'jobs', 'not-built'];
const MINUTES_5 = 300_000;

let fleet: EnvironmentFleet;

beforeAll(async () => {
  if (missing === undefined) fleet = await EnvironmentFleet.start({ replicas: { dataset: 2, trainer: 2, evaluator: 2 } });
}, 90_000);

afterAll(() => fleet?.stop(), 60_000);

interface Results {
  numPassedTests: number;
  numFailedTests: number;
  testResults: { message: string }[];
}

async function suite(name: string): Promise<Results> {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-suite-'));
  const output = join(folder, 'results.json');
  const jest = [
    join(ROOT, 'node_modules/jest/bin/jest.js'),
    '--selectProjects=acceptance',
    '--runInBand',
    '--forceExit',
    '--json',
    `--outputFile=${output}`,
  ];
  const { JEST_WORKER_ID: _ours, ...inherited } = process.env;
  const child = spawn(process.execPath, ['--experimental-vm-modules', ...jest, `--testPathPatterns=acceptance/tests/${name}.test.ts`], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'], // its report is part of ours
    env: { ...inherited, NODE_OPTIONS: '', TUNEFLEET_URL: fleet.url, TUNEFLEET_API_KEY: fleet.key },
  });
  await once(child, 'exit');
  const results = JSON.parse(readFileSync(output, 'utf8')) as Results;
  rmSync(folder, { recursive: true });
  return results;
}

test.each(SUITES)(
  'the acceptance suite of %s passes on S3 and NATS, services side by side',
  async (name) => {
    const { numPassedTests, numFailedTests, testResults } = await suite(name);
    expect([numFailedTests, testResults.map(({ message }) => message).join('\n')]).toEqual([0, '']);
    expect(numPassedTests).toBeGreaterThan(0);
  },
  MINUTES_5,
);

test('SIGTERM ends every process with 0', async () => {
  const codes = await fleet.stop();
  expect(codes.filter(([, code]) => code !== 0)).toEqual([]);
}, 60_000);
