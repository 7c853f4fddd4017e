/**
 * The whole way of a fine-tune on the public API with the `openai` package: upload, job, version, evaluation against the base, gate, alias, answer.
 * Against a fleet of your own, leave out `startFleet` and give your own URL and key to the client.
 */
import OpenAI from 'openai';
import { drawCurve } from './display.js';
import { fineTune } from './fine-tune.js';
import { startFleet } from './fleet.js';
import { createEval, measure } from './measure.js';
import { loadRows } from './rows.js';

const SETTINGS = { epochs: 4, batchSize: 32, learningRate: 3e-3 };
const REQUIRED_PASS_RATE = 0.75;
const json = process.argv.includes('--json');
const say = (text: string): void => void process.stderr.write(`${text}\n`);
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

async function run(client: OpenAI) {
  const [training, test] = await Promise.all([loadRows('train'), loadRows('test')]);
  say(`Fine-tuning tunefleet-base on ${training.length} customer messages, 77 intents (banking77, CC BY 4.0)`);
  const { job, losses } = await fineTune(client, training, SETTINGS);
  const model = job.fine_tuned_model ?? '';
  say(`\n${drawCurve(losses)}\n\nNew model ${model}; held-out rows, base against tuned:`);

  const { evalId, fileId } = await createEval(client, test);
  const base = await measure(client, evalId, fileId, 'tunefleet-base');
  const tuned = await measure(client, evalId, fileId, model);
  say(`  base  ${percent(base.accuracy)}\n  tuned ${percent(tuned.accuracy)}   (${tuned.n} rows)\n`);

  await client.put('/model_aliases/production/gate', {
    body: { rules: [{ eval: evalId, metric: 'pass_rate', min: REQUIRED_PASS_RATE, min_gain_over_base: 0.1 }] },
  });
  await client.put('/model_aliases/production', { body: { model } });
  say(`Gate passed (at least ${percent(REQUIRED_PASS_RATE)}, 10 points above the base): alias 'production' stands for the new model`);

  for (const row of [test[3], test[40], test[200]]) {
    if (!row) continue;
    const answer = await client.chat.completions.create({
      model: 'production',
      messages: [{ role: 'user', content: row.text }],
      temperature: 0,
      max_tokens: 24,
    });
    say(`  "${row.text}"\n    -> ${answer.choices[0]?.message.content}   (labelled ${row.intent})`);
  }
  return { job: job.id, status: job.status, model, base, tuned };
}

const started = Date.now();
say('Starting the fleet ...');
const fleet = await startFleet();
try {
  const result = await run(new OpenAI({ baseURL: `${fleet.url}/v1`, apiKey: fleet.key }));
  await fleet.stop();
  const seconds = Math.round((Date.now() - started) / 100) / 10;
  say(`\nDone in ${seconds} s. Next: npm start, and point your own openai client at http://127.0.0.1:8080/v1`);
  if (json)
    process.stdout.write(
      `${JSON.stringify({ job: result.job, status: result.status, model: result.model, seconds, base: result.base, tuned: result.tuned })}\n`,
    );
} catch (error) {
  await fleet.stop();
  say(`quickstart failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
