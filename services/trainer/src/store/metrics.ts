import type { MetricsRow } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import type { TimedRow } from '../domain/events.js';

/** One row an optimizer step of every job, keyed (job, step): the first report of a step stays, so a resumed attempt's repeats vanish. */
export interface MetricsStore {
  put(job: string, rows: MetricsRow[], at?: number): Promise<void>;
  /** All rows, by step. */
  all(job: string): Promise<TimedRow[]>;
  /** Rows there are, then those to come, each once, until the signal aborts. */
  follow(job: string, signal: AbortSignal): AsyncGenerator<TimedRow>;
  drop(job: string): Promise<void>;
}

const BUCKET = 'trainer-metrics';
/** JetStream's "wrong last sequence": the key exists. */
const EXISTS = 10071;
/** Writes in flight at once. */
const AT_ONCE = 64;

const keyOf = (job: string, step: number): string => `${job}.${step}`;
const isTaken = (error: unknown): boolean => (error as { api_error?: { err_code?: number } }).api_error?.err_code === EXISTS;
const byStep = (a: TimedRow, b: TimedRow): number => a.step - b.step;

export async function openMetrics(bus: Bus): Promise<MetricsStore> {
  const jetstream = bus.connection.jetstream();
  const manager = await bus.connection.jetstreamManager();
  const kv = await jetstream.views.kv(BUCKET, { history: 1 });

  async function put(job: string, row: TimedRow): Promise<void> {
    await kv.create(keyOf(job, row.step), JSON.stringify(row)).catch((error: unknown) => {
      if (!isTaken(error)) throw error;
    });
  }

  return {
    async put(job, rows, at = Date.now()) {
      for (let i = 0; i < rows.length; i += AT_ONCE) await Promise.all(rows.slice(i, i + AT_ONCE).map((row) => put(job, { ...row, at })));
    },
    async all(job) {
      const rows: TimedRow[] = [];
      // The client yields one undefined where there is no row.
      for await (const entry of await kv.history({ key: `${job}.*` })) if (entry?.operation === 'PUT') rows.push(entry.json<TimedRow>());
      return rows.sort(byStep);
    },
    async *follow(job, signal) {
      const sent = new Set<number>();
      while (!signal.aborted) {
        // A watch takes long to notice that its server was restarted: it is made anew at each reconnect.
        const watch = await kv.watch({ key: `${job}.*` });
        const stop = () => watch.stop();
        const forget = bus.onReconnect(stop);
        signal.addEventListener('abort', stop);
        try {
          for await (const entry of watch) {
            if (entry.operation !== 'PUT') continue;
            const row = entry.json<TimedRow>();
            if (sent.has(row.step)) continue;
            sent.add(row.step);
            yield row;
          }
        } finally {
          forget();
          signal.removeEventListener('abort', stop);
          watch.stop();
        }
      }
    },
    async drop(job) {
      await manager.streams.purge(`KV_${BUCKET}`, { filter: `$KV.${BUCKET}.${job}.*` });
    },
  };
}
