import type { MetricsRow } from '@tunefleet/contracts';

/** Rows wait this long (ms) for others to go with them. */
const GATHER_MS = 250;

/** Sends rows in order and in batches; one batch is under way at a time. The sender retries within itself. */
export interface MetricsRelay {
  add(row: MetricsRow): void;
  /** Every row added so far is sent. Rejects when a batch could not be sent. */
  flush(): Promise<void>;
}

export function metricsRelay(send: (rows: MetricsRow[]) => Promise<void>): MetricsRelay {
  let waiting: MetricsRow[] = [];
  let timer: NodeJS.Timeout | null = null;
  let last: Promise<void> = Promise.resolve();

  function dispatch(): Promise<void> {
    if (timer) clearTimeout(timer);
    timer = null;
    const rows = waiting;
    waiting = [];
    if (rows.length > 0) {
      last = last.then(() => send(rows));
      // Its failure is met by the next flush; it must not count as unhandled until then.
      last.catch(() => undefined);
    }
    return last;
  }

  return {
    add(row) {
      waiting.push(row);
      timer ??= setTimeout(dispatch, GATHER_MS);
    },
    flush: dispatch,
  };
}
