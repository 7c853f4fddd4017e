import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../setup/cache.mjs';
import { leavingCore, nativeBacktrace } from './crash.mjs';

// Two at least: one would run in jest's own process, which a crash of native code then ends with all its results.
const WORKERS = Math.max(2, Math.floor(cpus().length / 2));
const LEFT_OPEN_MS = 15_000; // how long jest may live on after its results are written

const jest = (project, file, inBand, patient, env) => {
  const args = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  args.push('--selectProjects', project, '--json', '--outputFile', file, inBand ? '--runInBand' : `--maxWorkers=${WORKERS}`);
  // jest prints its progress on stderr; the JSON that it also prints on stdout is not wanted there.
  const first = patient && process.platform !== 'win32' ? ['nice', '-n', '19'] : [];
  const [command, ...rest] = leavingCore([...first, process.execPath, ...args]);
  const placed = { ...process.env, ...env, TUNEFLEET_TEST_PLACES: dirname(file) };
  return spawn(command, rest, { cwd: root, env: placed, stdio: ['ignore', 'ignore', 'inherit'] });
};

/** Where jest's own process was when it crashed (tools/jest/environment.mjs writes it); what its threads did goes to stderr. */
const placeOfCrash = (signal, pid, file) => {
  const backtrace = nativeBacktrace(signal, pid, root);
  if (backtrace === undefined) return '';
  process.stderr.write(backtrace);
  const place = join(dirname(file), String(pid));
  return existsSync(place) ? ` ${readFileSync(place, 'utf8')}` : ' before its first test';
};

/** Waits for the end of jest; ends it where it hangs. Resolves with what was wrong with the run as such, or undefined. */
const ended = async (child, file, minutes) => {
  let over = false;
  const exit = new Promise((resolve) => {
    child.on('error', (error) => resolve({ error: error.message }));
    child.on('exit', (code, signal) => resolve({ code, signal }));
  }).finally(() => {
    over = true;
  });
  const deadline = Date.now() + minutes * 60_000;
  let wrong;
  let written;
  while (!over) {
    await Promise.race([exit, sleep(250)]);
    if (over) break;
    if (existsSync(file)) written ??= Date.now();
    if (Date.now() > deadline) wrong = `the suite took over ${minutes} minutes`;
    const open = written && Date.now() - written > LEFT_OPEN_MS;
    // Its results are written and count; what stays open is said, for whoever wants to look.
    if (open) process.stderr.write('jest did not exit by itself: a test leaves something open\n');
    if (wrong || open) {
      child.kill('SIGKILL');
      break;
    }
  }
  const { error, signal } = await exit;
  const ours = existsSync(file) && signal === 'SIGKILL';
  return wrong ?? error ?? (signal && !ours ? `jest was ended by ${signal}${placeOfCrash(signal, child.pid, file)}` : undefined);
};

/** The first line of jest's message that says something. */
const cause = (message) => {
  const lines = message.split('\n').map((line) => line.trim());
  return lines.find((line) => line && !line.startsWith('●')) ?? 'did not run';
};

const outcomes = (results) => {
  const outcome = { passed: 0, failed: 0, failures: [], skips: [] };
  for (const suite of results.testResults) {
    const where = relative(root, suite.name);
    for (const { status, fullName } of suite.assertionResults) {
      const title = `${where}: ${fullName}`;
      if (status === 'passed') outcome.passed += 1;
      else if (status === 'failed') outcome.failures.push(title);
      else outcome.skips.push(title);
    }
    // A file that fails without a failed test did not load, or broke outside its tests.
    const failed = suite.assertionResults.some(({ status }) => status === 'failed');
    if (suite.status === 'failed' && !failed) outcome.failures.push(`${where}: ${cause(suite.message)}`);
  }
  return outcome;
};

/**
 * Runs one jest project. A project without tests, a crash, a hang: each counts as one failure.
 * @param {string} project
 * @param {{minutes: number, inBand?: boolean, patient?: boolean, env?: Record<string, string>}} limits patient: at the lowest priority
 */
export const runSuite = async (project, { minutes, inBand = false, patient = false, env = {} }) => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-test-'));
  try {
    const file = join(folder, 'results.json');
    const wrong = await ended(jest(project, file, inBand, patient, env), file, minutes);
    const results = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
    const outcome = results ? outcomes(results) : { passed: 0, failed: 0, failures: [], skips: [] };
    if (wrong) outcome.failures.push(wrong);
    else if (!results) outcome.failures.push('jest left no results');
    else if (results.numTotalTests === 0 && outcome.failures.length === 0) outcome.failures.push('there is not one test');
    return { ...outcome, failed: outcome.failures.length };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
