import OpenAI from 'openai';

/** Exit codes: 0 done, 1 refused or failed, 2 used wrongly, 130 Ctrl-C while watching. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** An end of a command with words for a person and a code for a script. */
export class CommandFailure extends Error {
  readonly code: string;
  readonly param: string | null;
  readonly next: string | null;
  readonly exit: number;
  readonly detail: unknown;

  constructor(
    code: string,
    message: string,
    more: { param?: string | null; next?: string | null; exit?: number; detail?: unknown; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.code = code;
    this.param = more.param ?? null;
    this.next = more.next ?? null;
    this.exit = more.exit ?? EXIT.failed;
    this.detail = more.detail;
  }

  /** The error object of `--json`. */
  toJson(): object {
    const { code, message, param, next, detail } = this;
    return { error: { code, message, param, next, ...(detail === undefined ? {} : { tunefleet: detail }) } };
  }

  toText(): string {
    const what = this.param === null ? this.code : `${this.code}, ${this.param}`;
    return `tunefleet: ${this.message} (${what})${this.next === null ? '' : `\n  next: ${this.next}`}\n`;
  }
}

export const usage = (message: string, next: string): CommandFailure => new CommandFailure('usage', message, { next, exit: EXIT.usage });

/** What helps after each code. Those that are not here say what to do in their own message. */
const NEXT: Record<string, string> = {
  invalid_api_key: 'set TUNEFLEET_API_KEY to a key of this fleet; its first start prints one, `npx tunefleet keys create` makes more',
  insufficient_scope: 'use a key with a larger scope; an admin makes one by `npx tunefleet keys create --project P --scope write`',
  file_not_found: '`npx tunefleet files list` shows the files of this project',
  job_not_found: '`npx tunefleet jobs list` shows the jobs of this project',
  model_not_found: '`npx tunefleet models list` shows what can be tuned and asked',
  eval_not_found: '`npx tunefleet evals list` shows the evals of this project',
  run_not_found: '`npx tunefleet evals get EVAL` shows the runs of an eval',
  alias_not_found: '`npx tunefleet aliases list` shows the aliases of this project',
  key_not_found: '`npx tunefleet keys list` shows the keys that you may see',
  gate_missing: 'an admin sets the gate first: `npx tunefleet aliases gate NAME --eval EVAL --min 0.8`',
  gate_not_passed: '`npx tunefleet evals run EVAL --model MODEL ...` measures it (and its base); then set the alias again',
  invalid_state: '`npx tunefleet jobs get JOB` shows the state',
  invalid_n_examples: 'add rows: a training file needs ten or more',
  rate_limit_exceeded: 'wait, then try again',
  queue_full: '`npx tunefleet jobs list` shows what is not finished; cancel some or wait',
  service_unavailable: 'try again; $TUNEFLEET_DATA/logs/ has the logs of the processes',
  internal_error: 'the logs have the request id; see docs/operations.md',
};

export const nextStep = (code: string): string | null => NEXT[code] ?? null;

/** Any error as one that can be shown. */
export function asFailure(error: unknown, url: string): CommandFailure {
  if (error instanceof CommandFailure) return error;
  if (error instanceof OpenAI.APIConnectionError)
    return new CommandFailure('connection', `no fleet answers at ${url}`, {
      next: 'start it with `npm start`, or set TUNEFLEET_URL to where it runs',
      cause: error,
    });
  if (error instanceof OpenAI.APIError) {
    const body = error.error as { message?: string; tunefleet?: unknown } | undefined;
    const code = error.code ?? `http_${error.status}`;
    const id = code === 'internal_error' && error.requestID ? ` Request id: ${error.requestID}.` : '';
    return new CommandFailure(code, `${body?.message ?? error.message}${id}`, {
      param: error.param ?? null,
      next: nextStep(code),
      detail: body?.tunefleet,
      cause: error,
    });
  }
  const { message, code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return usage(message, 'give the path of a file that is there');
  return new CommandFailure('client_error', error instanceof Error ? message : String(error), { cause: error });
}
