import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type OpenAI from 'openai';
import type { Tunefleet } from '../../tunefleet.js';
import { connect, type Define, type Result } from '../context.js';
import { EXIT, usage } from '../failure.js';
import { Display, progressLine } from '../progress-line.js';
import { fields, percent, table, time } from '../text.js';
import { type Body, given, number, readBody, wholeNumber } from '../values.js';
import { fileId } from './files.js';

type Eval = OpenAI.Evals.EvalRetrieveResponse;
type Run = OpenAI.Evals.Runs.RunRetrieveResponse;

const POLL_MS = 500;

const evalText = (e: Eval): string =>
  fields({
    id: e.id,
    name: e.name,
    criteria: e.testing_criteria.map((criterion) => `${criterion.name} (${criterion.type})`).join(', '),
    created: time(e.created_at),
  });

const rate = ({ passed, total }: Run['result_counts']): string | null => (total === 0 ? null : percent(passed / total));

const runText = (r: Run): string =>
  fields({
    id: r.id,
    eval: r.eval_id,
    name: r.name,
    status: r.status,
    model: r.model,
    pass_rate: rate(r.result_counts),
    counts: `${r.result_counts.passed} passed, ${r.result_counts.failed} failed, ${r.result_counts.errored} errored of ${r.result_counts.total}`,
    ...(r.error ? { error: `${r.error.message} (${r.error.code})` } : {}),
    items: r.report_url,
  });

interface CreateOptions {
  name?: string;
  input: string;
  reference?: string;
  operation: string;
  body?: string;
}

/** An eval of one string check, or the body of a file. */
export function evalBody({ name, input, reference, operation, body }: CreateOptions): Body {
  if (body !== undefined) return { ...readBody(body), ...given({ name }) };
  if (reference === undefined)
    throw usage('an eval needs --reference, or --body', "e.g. --reference '{{item.label}}': what the model's answer has to equal");
  return {
    ...given({ name }),
    data_source_config: { type: 'custom', item_schema: { type: 'object' }, include_sample_schema: true },
    testing_criteria: [{ type: 'string_check', name: name ?? 'string check', input, reference, operation }],
  };
}

interface RunOptions {
  model?: string;
  data?: string;
  message?: string;
  system?: string;
  maxTokens?: number;
  temperature?: number;
  name?: string;
  body?: string;
  wait: boolean;
}

async function runBody(fleet: Tunefleet, options: RunOptions): Promise<Body> {
  if (options.body !== undefined) return { ...readBody(options.body), ...given({ name: options.name }) };
  const { model, data, message, system, maxTokens, temperature } = options;
  if (model === undefined || data === undefined || message === undefined)
    throw usage(
      'a run needs --model, --data and --message, or --body',
      "e.g. --model production --data rows.jsonl --message '{{item.text}}'",
    );
  const turn = (role: string, content: string): Body => ({ type: 'message', role, content });
  return {
    ...given({ name: options.name ?? model }),
    data_source: {
      type: 'completions',
      model,
      source: { type: 'file_id', id: await fileId(fleet, data, 'evals') },
      input_messages: { type: 'template', template: [...(system === undefined ? [] : [turn('system', system)]), turn('user', message)] },
      sampling_params: given({ temperature, max_completion_tokens: maxTokens }),
    },
  };
}

async function finished(fleet: Tunefleet, run: Run): Promise<Result> {
  const display = new Display();
  let now = run;
  while (now.status === 'queued' || now.status === 'in_progress') {
    await sleep(POLL_MS);
    now = await fleet.openai.evals.runs.retrieve(run.id, { eval_id: run.eval_id });
    const { passed, failed, errored, total } = now.result_counts;
    if (total > 0) display.show(progressLine({ done: passed + failed + errored, total, left: null, details: [`${passed} passed`] }));
  }
  display.end();
  return { object: now, text: runText(now), exit: now.status === 'completed' ? EXIT.done : EXIT.failed };
}

export function evalCommands(program: Command, define: Define): void {
  const evals = program.command('evals').description('measurements, and their runs on models');

  define(
    evals
      .command('create')
      .description('an eval: what an answer is held against')
      .option('--name <name>', 'its name')
      .option('--reference <template>', "what is expected, e.g. '{{item.label}}'")
      .option('--input <template>', 'what is checked', '{{sample.output_text}}')
      .option('--operation <operation>', 'eq, ne, like or ilike', 'eq')
      .option('--body <file>', 'the body as JSON (- is stdin), for anything else'),
    async (options: CreateOptions) => {
      const object = await connect().openai.evals.create(evalBody(options) as unknown as OpenAI.EvalCreateParams);
      return { object, text: evalText(object) };
    },
  );

  define(
    evals
      .command('run <eval>')
      .description('run an eval on a model and wait for the counts')
      .option('--model <model>', 'a base, a tuned model or an alias')
      .option('--data <file>', 'rows {"item": {...}}: an id (file-...), or a local file, which is uploaded')
      .option('--message <template>', "the user's message, e.g. '{{item.text}}'")
      .option('--system <template>', 'a system message before it')
      .option('--max-tokens <n>', 'length of an answer', wholeNumber)
      .option('--temperature <t>', '0 is greedy', number, 0)
      .option('--name <name>', 'its name')
      .option('--body <file>', 'the body as JSON (- is stdin), for anything else')
      .option('--no-wait', 'return as soon as it is created'),
    async (id: string, options: RunOptions) => {
      const fleet = connect();
      const body = (await runBody(fleet, options)) as unknown as OpenAI.Evals.RunCreateParams;
      const run = (await fleet.openai.evals.runs.create(id, body)) as Run;
      return options.wait ? finished(fleet, run) : { object: run, text: runText(run) };
    },
  );

  define(
    evals.command('get <eval> [run]').description('an eval with its runs, or one run'),
    async (id: string, runId: string | undefined) => {
      const fleet = connect();
      if (runId !== undefined) {
        const object = await fleet.openai.evals.runs.retrieve(runId, { eval_id: id });
        return { object, text: runText(object) };
      }
      const object = await fleet.openai.evals.retrieve(id);
      const runs = await fleet.list<Run>(`/evals/${encodeURIComponent(id)}/runs`, { limit: 100, order: 'desc' });
      const rows = runs.data.map((r) => [r.id, r.status, r.model, rate(r.result_counts), time(r.created_at)]);
      return { object, text: `${evalText(object)}\n\n${table(['RUN', 'STATUS', 'MODEL', 'PASS RATE', 'CREATED'], rows)}` };
    },
  );

  define(
    evals
      .command('list', { isDefault: true })
      .description('the evals of the project, newest first')
      .option('--limit <n>', 'at most this many', wholeNumber, 20)
      .option('--after <id>', 'those behind this one'),
    async (query: { limit: number; after?: string }) => {
      const object = await connect().list<Eval>('/evals', { ...query, order: 'desc' });
      return {
        object,
        text: table(
          ['ID', 'NAME', 'CREATED'],
          object.data.map((e) => [e.id, e.name, time(e.created_at)]),
        ),
      };
    },
  );
}
