#!/usr/bin/env node
// How soon a fleet is there and how soon a job trains: `node acceptance/measure/latency.mjs [--json]`, after `node tools/setup.mjs`.
// A fleet of its own on a fresh data folder; figures for docs/benchmarks.md. No test: a time depends on the machine.
//   ready       from the launcher's start to its ready line
//   memory      PSS of all processes, idle, before any job (tools/memory.mjs: NATS and launcher included)
//   first step  from POST /v1/fine_tuning/jobs to the first row of its metrics, 1,000 rows on `tunefleet-base`, fleet idle;
//               cold: the first job of this fleet; warm: after it, on another file, so that nothing of its data is prepared
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { IDLE_MS, post, ROOT, secondsSince, startFleet } from './fleet.mjs';

const ROWS = 1000;
const WARM_JOBS = 3;

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

async function uploaded({ json }, from) {
  const form = new FormData();
  form.set('purpose', 'fine-tune');
  form.set('file', new File([file(from)], 'rows.jsonl'));
  const { id } = await json('/files', { method: 'POST', body: form });
  while ((await json(`/files/${id}`)).status === 'uploaded') await sleep(50);
  return id;
}

/** Seconds from the POST to the first row; the job is cancelled then. */
async function firstStep(fleet, from) {
  const { json } = fleet;
  const training_file = await uploaded(fleet, from);
  const start = performance.now();
  const { id } = await json('/fine_tuning/jobs', post({ model: 'tunefleet-base', training_file }));
  for (;;) {
    const { data: rows } = await json(`/fine_tuning/jobs/${id}/metrics`);
    if (rows.length > 0) break;
    const { status, error } = await json(`/fine_tuning/jobs/${id}`);
    if (status === 'failed') throw new Error(`the job failed: ${error.message}`);
    await sleep(20);
  }
  const took = secondsSince(start);
  await json(`/fine_tuning/jobs/${id}/cancel`, { method: 'POST' });
  await sleep(IDLE_MS);
  return took;
}

const fleet = await startFleet();
try {
  await sleep(IDLE_MS);
  const { megabytes, processes } = fleet.memory();
  const cold = await firstStep(fleet, 0);
  const warm = [];
  for (let i = 1; i <= WARM_JOBS; i++) warm.push(await firstStep(fleet, i * 500));
  const figures = {
    ready_seconds: fleet.readySeconds,
    idle_pss_megabytes: megabytes,
    first_step_cold_seconds: cold,
    first_step_warm_seconds: warm,
  };
  if (process.argv.includes('--json')) console.log(JSON.stringify({ ...figures, processes }));
  else {
    console.log(`ready after        ${fleet.readySeconds.toFixed(1)} s`);
    console.log(`first step, cold   ${cold.toFixed(2)} s`);
    console.log(`first step, warm   ${warm.map((value) => value.toFixed(2)).join(', ')} s`);
    console.log(`idle memory (PSS)  ${megabytes.toFixed(0)} MB`);
    for (const { process: name, pss } of processes) console.log(`  ${name.padEnd(16)} ${pss.toFixed(0)} MB`);
  }
} finally {
  await fleet.stop();
}
