#!/usr/bin/env node
// A real model through the whole fleet: `node acceptance/measure/real-model.mjs [--json]`, after `node tools/setup.mjs --models`.
// SmolLM2-135M-Instruct from its GGUF file (98 MB, Q4_1), on a fleet of its own; figures for docs/benchmarks.md. No test: a time depends on the machine.
//   import   `npx tunefleet models import` from its start to its end: upload, conversion to float32, check, storing of 538 MB
//   job      from POST /v1/fine_tuning/jobs to its first row of metrics, to its last and to `succeeded`: LoRA rank 8 on all linears, 16 rows of
//            banking77 as chat, batch 4, 2 epochs (8 steps)
//   chat     a question of the tuned model, at most 24 tokens: the first time (weights are fetched and loaded) and once more
//   memory   PSS of all processes, idle, before and after the import; inference has not loaded anything then
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { modelPackage } from '../../tools/model-packages.mjs';
import { IDLE_MS, KEY, post, ROOT, secondsSince, startFleet } from './fleet.mjs';

const ROWS = 16;
const { path, missing } = modelPackage('smolLm2');
if (path === undefined) {
  console.error(missing);
  process.exit(3);
}

const timed = async (run) => {
  const start = performance.now();
  const value = await run();
  return { value, seconds: secondsSince(start) };
};

const rows = readFileSync(join(ROOT, 'quickstart/data/banking77.train.jsonl'), 'utf8')
  .split('\n')
  .slice(0, ROWS)
  .map((line) => JSON.parse(line))
  .map(({ text, intent }) => ({
    messages: [
      { role: 'user', content: text },
      { role: 'assistant', content: intent },
    ],
  }));

function importModel({ url }) {
  const command = join(ROOT, 'libs/client/dist/cli/main.js');
  const env = { ...process.env, TUNEFLEET_URL: url, TUNEFLEET_API_KEY: KEY };
  const out = execFileSync(process.execPath, [command, 'models', 'import', path, '--name', 'smollm2', '--json'], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(out.toString());
}

async function job({ json }) {
  const form = new FormData();
  form.set('purpose', 'fine-tune');
  form.set('file', new File([rows.map((row) => JSON.stringify(row)).join('\n')], 'rows.jsonl'));
  const { id: training_file } = await json('/files', { method: 'POST', body: form });
  const hyperparameters = { n_epochs: 2, batch_size: 4 };
  const body = { model: 'smollm2', training_file, seed: 7, method: { type: 'supervised', supervised: { hyperparameters } } };
  const start = performance.now();
  let now = await json('/fine_tuning/jobs', post(body));
  const seconds = { first_step: null, last_step: null, succeeded: null };
  let losses = [];
  while (!['succeeded', 'failed'].includes(now.status)) {
    await sleep(100);
    const { data } = await json(`/fine_tuning/jobs/${now.id}/metrics`);
    if (data.length > losses.length) seconds.last_step = secondsSince(start);
    if (data.length > 0) seconds.first_step ??= secondsSince(start);
    losses = data.map(({ train_loss }) => train_loss);
    now = await json(`/fine_tuning/jobs/${now.id}`);
  }
  if (now.status === 'failed') throw new Error(`the job failed: ${now.error.message}`);
  seconds.succeeded = secondsSince(start);
  return { model: now.fine_tuned_model, seconds, losses };
}

const chat = ({ json }, model) =>
  timed(async () => {
    const messages = [{ role: 'user', content: 'What is the capital of France?' }];
    const { choices, usage } = await json('/chat/completions', post({ model, messages, max_tokens: 24, temperature: 0 }));
    return { text: choices[0].message.content, tokens: usage.completion_tokens };
  });

const pssOf = ({ processes }) => Object.fromEntries(processes.map(({ process: name, pss }) => [name, Math.round(pss)]));

const fleet = await startFleet();
try {
  await sleep(IDLE_MS);
  const idle = fleet.memory();
  const imported = await timed(() => importModel(fleet));
  await sleep(IDLE_MS);
  const after = fleet.memory();
  const base = [await chat(fleet, 'smollm2'), await chat(fleet, 'smollm2')];
  const tuned = await job(fleet);
  const answers = [await chat(fleet, tuned.model), await chat(fleet, tuned.model)];
  const figures = {
    import_seconds: imported.seconds,
    idle_pss_megabytes: { before: idle.megabytes, after: after.megabytes },
    chat_base_seconds: base.map(({ seconds }) => seconds),
    job_seconds: tuned.seconds,
    losses: tuned.losses,
    chat_tuned_seconds: answers.map(({ seconds }) => seconds),
    processes: { before: pssOf(idle), after: pssOf(after) },
    answers: { base: base[1].value, tuned: answers[1].value },
  };
  console.log(process.argv.includes('--json') ? JSON.stringify(figures) : figures);
} finally {
  await fleet.stop();
}
