#!/usr/bin/env node
// How soon a fleet is there and how soon a job trains: `node acceptance/measure/latency.mjs [--json]`, after `node tools/setup.mjs`.
// A fleet of its own on a fresh data folder; figures for docs/benchmarks.md. No test: a time depends on the machine.
//   ready       from the launcher's start to its ready line
//   memory      PSS of all processes, idle, before any job (tools/memory.mjs: NATS and launcher included)
//   first step  from POST /v1/fine_tuning/jobs to the first row of its metrics, 1,000 rows on `tunefleet-base`, fleet idle;
//               cold: the first job of this fleet; warm: after it, on another file, so that nothing of its data is prepared
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..', '..');
const ROWS = 1000;
const WARM_JOBS = 3;
const IDLE_MS = 5000; // timers and pools of a start have settled by then
const key = 'measure-admin-key-1';
const data = mkdtempSync(join(tmpdir(), 'tunefleet-measure-'));
const seconds = (start) => (performance.now() - start) / 1000;

const started = performance.now();
const launcher = spawn(process.execPath, [join(ROOT, 'deploy/local/dist/main.js')], {
  env: { ...process.env, TUNEFLEET_DATA: data, TUNEFLEET_PORT: '0', TUNEFLEET_API_KEY: key },
  stdio: ['ignore', 'pipe', 'inherit'],
});

async function ready() {
  for await (const line of createInterface({ input: launcher.stdout })) {
    const match = /^tunefleet ready url=(\S+)/.exec(line);
    if (match) return match[1];
  }
  throw new Error(`the fleet did not become ready; its logs are in ${data}/logs`);
}

const lines = readFileSync(join(ROOT, 'quickstart/data/banking77.train.jsonl'), 'utf8').trim().split('\n').map(JSON.parse);
const file = (from) =>
  lines
    .slice(from, from + ROWS)
    .map(({ text, intent }) => {
      const messages = [
        { role: 'user', content: text },
        { role: 'assistant', content: intent },
      ];
      return JSON.stringify({ messages });
    })
    .join('\n');

async function api(url, path, init = {}) {
  const response = await fetch(`${url}/v1${path}`, { ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}
const json = async (url, path, init) => (await api(url, path, init)).json();

async function uploaded(url, from) {
  const form = new FormData();
  form.set('purpose', 'fine-tune');
  form.set('file', new File([file(from)], 'rows.jsonl'));
  const { id } = await json(url, '/files', { method: 'POST', body: form });
  while ((await json(url, `/files/${id}`)).status === 'uploaded') await sleep(50);
  return id;
}

/** Seconds from the POST to the first row; the job is cancelled then. */
async function firstStep(url, from) {
  const training_file = await uploaded(url, from);
  const start = performance.now();
  const { id } = await json(url, '/fine_tuning/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tunefleet-base', training_file }),
  });
  for (;;) {
    const { data: rows } = await json(url, `/fine_tuning/jobs/${id}/metrics`);
    if (rows.length > 0) break;
    const { status, error } = await json(url, `/fine_tuning/jobs/${id}`);
    if (status === 'failed') throw new Error(`the job failed: ${error.message}`);
    await sleep(20);
  }
  const took = seconds(start);
  await json(url, `/fine_tuning/jobs/${id}/cancel`, { method: 'POST' });
  await sleep(IDLE_MS);
  return took;
}

function memory() {
  const { stdout } = spawnSync(process.execPath, [join(ROOT, 'tools/memory.mjs'), '--json'], {
    env: { ...process.env, TUNEFLEET_DATA: data },
    encoding: 'utf8',
  });
  return JSON.parse(stdout);
}

try {
  const url = await ready();
  const readySeconds = seconds(started);
  await sleep(IDLE_MS);
  const { megabytes, processes } = memory();
  const cold = await firstStep(url, 0);
  const warm = [];
  for (let i = 1; i <= WARM_JOBS; i++) warm.push(await firstStep(url, i * 500));
  const figures = {
    ready_seconds: readySeconds,
    idle_pss_megabytes: megabytes,
    first_step_cold_seconds: cold,
    first_step_warm_seconds: warm,
  };
  if (process.argv.includes('--json')) console.log(JSON.stringify({ ...figures, processes }));
  else {
    console.log(`ready after        ${readySeconds.toFixed(1)} s`);
    console.log(`first step, cold   ${cold.toFixed(2)} s`);
    console.log(`first step, warm   ${warm.map((value) => value.toFixed(2)).join(', ')} s`);
    console.log(`idle memory (PSS)  ${megabytes.toFixed(0)} MB`);
    for (const { process: name, pss } of processes) console.log(`  ${name.padEnd(16)} ${pss.toFixed(0)} MB`);
  }
} finally {
  const exited = launcher.exitCode === null ? once(launcher, 'exit') : null;
  launcher.kill('SIGTERM');
  await exited;
  rmSync(data, { recursive: true, force: true });
}
