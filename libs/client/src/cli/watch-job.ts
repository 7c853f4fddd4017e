import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { followMetrics, type MetricsRow } from '../metrics.js';
import type { Tunefleet, TuningJob } from '../tunefleet.js';
import type { Result } from './context.js';
import { EXIT } from './failure.js';
import { jobText, statusLine } from './job-text.js';
import { Display, progressLine } from './progress-line.js';

const POLL_MS = 1000;
/** A fleet that restarts is away for seconds; after this long it is not coming back by itself. */
const AWAY_MS = 120_000;

const ended = ({ status }: TuningJob): boolean => status === 'succeeded' || status === 'failed' || status === 'cancelled';

/** Optimizer steps of a job, or null until its rows and `auto` settings are known. */
export function totalSteps(job: TuningJob, rows: number | null): number | null {
  const { n_epochs, batch_size } = job.hyperparameters;
  if (rows === null || typeof n_epochs !== 'number' || typeof batch_size !== 'number') return null;
  return Math.min(n_epochs * Math.ceil(rows / batch_size), job.tunefleet.max_steps ?? Number.POSITIVE_INFINITY);
}

/** Tokens a second over the last rows that came. */
export class Rate {
  readonly #seen: { at: number; tokens: number }[] = [];

  add(tokens: number, at = Date.now()): void {
    this.#seen.push({ at, tokens });
    while (this.#seen.length > 2 && at - (this.#seen[0]?.at ?? at) > 10_000) this.#seen.shift();
  }

  perSecond(): number | null {
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (!first || !last || last.at - first.at < 500) return null;
    const tokens = this.#seen.slice(1).reduce((sum, row) => sum + row.tokens, 0);
    return tokens / ((last.at - first.at) / 1000);
  }
}

const away = (error: unknown): boolean =>
  error instanceof OpenAI.APIConnectionError || (error instanceof OpenAI.APIError && (error.status ?? 0) >= 500);

class Watch {
  readonly #fleet: Tunefleet;
  readonly #id: string;
  readonly #display = new Display();
  readonly #rate = new Rate();
  readonly #stop: AbortSignal;
  #job: TuningJob;
  #rows: number | null = null;
  #step = 0;

  constructor(fleet: Tunefleet, job: TuningJob, stop: AbortSignal) {
    this.#fleet = fleet;
    this.#id = job.id;
    this.#job = job;
    this.#stop = stop;
  }

  async run(): Promise<TuningJob> {
    this.#display.note(statusLine(this.#job));
    const over = new AbortController();
    const following = this.#follow(AbortSignal.any([over.signal, this.#stop]));
    try {
      await this.#poll();
      // The last rows are on their way when the job has ended; they are few.
      await Promise.race([following, sleep(POLL_MS, undefined, { ref: false })]);
    } finally {
      over.abort();
      await following;
      this.#display.end();
    }
    return this.#job;
  }

  async #poll(): Promise<void> {
    let shown = statusLine(this.#job);
    let lost: number | null = null;
    while (!ended(this.#job)) {
      await sleep(POLL_MS, undefined, { signal: this.#stop });
      try {
        this.#job = (await this.#fleet.openai.fineTuning.jobs.retrieve(this.#id, { signal: this.#stop })) as unknown as TuningJob;
        lost = null;
      } catch (error) {
        if (!away(error) || this.#stop.aborted) throw error;
        if (lost === null) this.#display.note('the fleet does not answer just now; trying again');
        lost ??= Date.now();
        if (Date.now() - lost > AWAY_MS) throw error;
        continue;
      }
      const line = statusLine(this.#job);
      if (line !== shown) this.#display.note(line);
      shown = line;
    }
  }

  /** Rows as they come, over any number of connections. */
  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !ended(this.#job)) {
      try {
        for await (const row of followMetrics(this.#fleet, this.#id, signal)) await this.#show(row);
      } catch {
        // the poll says when the fleet is away
      }
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #show(row: MetricsRow): Promise<void> {
    if (row.step <= this.#step) return;
    this.#step = row.step;
    this.#rate.add(row.tokens);
    this.#rows ??= await this.#countRows();
    const rate = this.#rate.perSecond();
    const finish = this.#job.estimated_finish;
    const details = [
      `loss ${row.train_loss.toFixed(4)}`,
      ...(row.valid_loss === undefined ? [] : [`valid ${row.valid_loss.toFixed(4)}`]),
      ...(rate === null ? [] : [`${Math.round(rate)} tokens/s`]),
    ];
    const left = finish === null ? null : Math.max(0, finish - Date.now() / 1000);
    this.#display.show(progressLine({ done: row.step, total: totalSteps(this.#job, this.#rows), left, details }));
  }

  async #countRows(): Promise<number | null> {
    try {
      return (await this.#fleet.files.validation(this.#job.training_file)).rows;
    } catch {
      return null; // deleted since: no bar
    }
  }
}

/** Follows a job to its end. Ctrl-C ends the watching and leaves the job alone. Exit 1 where it did not succeed. */
export async function watchJob(fleet: Tunefleet, id: string): Promise<Result> {
  let job = (await fleet.openai.fineTuning.jobs.retrieve(id)) as unknown as TuningJob;
  const stop = new AbortController();
  const interrupt = (): void => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    job = await new Watch(fleet, job, stop.signal).run();
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.stderr.write(`no longer watching; the job goes on. Watch it again: npx tunefleet jobs watch ${id}\n`);
    return { object: job, text: jobText(job), exit: EXIT.interrupted };
  } finally {
    process.off('SIGINT', interrupt);
  }
  return { object: job, text: jobText(job), exit: job.status === 'succeeded' ? EXIT.done : EXIT.failed };
}
