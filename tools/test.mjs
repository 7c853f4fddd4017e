#!/usr/bin/env node
// `npm test`: every check, one after another, but for one that only computes and runs beside the next at the lowest priority. The last line on stdout is `N passed, N failed, N skipped`; exit 1 if any failed.
// Types, lint and dead code count as one check each, and so does a suite that crashes (as failed).
// TUNEFLEET_TEST_REQUIRE=nats-server,S3: a test skipped for want of one of these counts as failed.
import { join } from 'node:path';
import { root } from './setup/cache.mjs';
import { runCheck } from './test/check.mjs';
import { runSuite } from './test/suite.mjs';
import { webgpuEnvironment } from './test/webgpu-environment.mjs';

const bin = (name) => join(root, 'node_modules', '.bin', name);
const required = (process.env.TUNEFLEET_TEST_REQUIRE ?? '').split(',').filter(Boolean);

const phases = [
  { name: 'types', run: () => runCheck([process.execPath, 'node_modules/typescript/bin/tsc', '-p', 'tsconfig.tests.json']) },
  { name: 'lint', run: () => runCheck([bin('biome'), 'check', '.']) },
  { name: 'dead code', run: () => runCheck([bin('knip'), '--no-config-hints']) },
  { name: 'unit', run: () => runSuite('unit', { minutes: 10 }) },
  // It only computes, and the next one mostly waits for servers.
  { name: 'webgpu', beside: true, run: () => runSuite('webgpu', { minutes: 12, inBand: true, patient: true, env: webgpuEnvironment() }) },
  { name: 'integration', run: () => runSuite('integration', { minutes: 15, inBand: true }) },
  { name: 'acceptance', run: () => runSuite('acceptance', { minutes: 20, inBand: true }) },
  { name: 'kill', run: () => runSuite('kill', { minutes: 15, inBand: true }) },
];

const total = { passed: 0, failed: 0, skipped: 0 };
const report = [];

const timed = async (name, run) => {
  process.stderr.write(`\n=== ${name}\n`);
  const started = performance.now();
  const outcome = await run();
  const seconds = (performance.now() - started) / 1000;
  // A reason begins with what is missing: see tools/jest/skip-unless.ts.
  const unwanted = outcome.skips.filter((title) => required.some((what) => title.includes(`[skipped: ${what}:`)));
  const counted = {
    passed: outcome.passed,
    failed: outcome.failed + unwanted.length,
    skipped: outcome.skips.length - unwanted.length,
  };
  for (const key of Object.keys(total)) total[key] += counted[key];
  report.push({ name, seconds, ...counted, skips: outcome.skips, failures: [...outcome.failures, ...unwanted] });
  return counted.failed === 0;
};

const setUp = await timed('set-up', () => runCheck([process.execPath, 'tools/setup.mjs', '--tests'], { countPass: false }));
const beside = [];
for (const phase of setUp ? phases : []) {
  const done = timed(phase.name, phase.run);
  if (phase.beside) beside.push(done);
  else await done;
}
await Promise.all(beside);

console.log('');
for (const { name, seconds, passed, failed, skipped } of report) {
  console.log(`${name.padEnd(12)} ${seconds.toFixed(1).padStart(7)} s   ${passed} passed, ${failed} failed, ${skipped} skipped`);
}
for (const { name, skips } of report) for (const title of skips) console.log(`skipped in ${name}: ${title}`);
for (const { name, failures } of report) for (const title of failures) console.log(`failed in ${name}: ${title}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
