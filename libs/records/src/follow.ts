import { setTimeout as sleep } from 'node:timers/promises';
import type { KvEntry } from 'nats';
import type { Bucket } from './bucket.js';

export interface Follower {
  /** Every key's last value has been seen since the last (re)connect. */
  ready(): boolean;
  /** The first pass is done. */
  started: Promise<void>;
  stop(): void;
}

/** A pass that has not ended by then (messages vanished under it) begins anew. */
const PASS_MS = 15_000;
const RETRY_MS = 200;

/**
 * Follow the last values of the keys below a filter: all that are there, then each change. Left alone, a watch resumes 12 s after the server
 * has come back, so each reconnect begins a new pass over all values.
 *
 * @param begin called as a pass begins; what it returns is called when all values that were there have been seen
 */
export function follow(bucket: Bucket, filter: string, seen: (entry: KvEntry) => void, begin: () => () => void): Follower {
  let generation = 0;
  let ready = false;
  let stopped = false;
  let stopWatch = (): void => undefined;
  let markStarted = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    markStarted = resolve;
  });

  const pass = async (own: number): Promise<void> => {
    const live = () => own === generation && !stopped;
    const done = begin();
    const watch = await bucket.kv.watch({
      key: filter,
      initializedFn: () => {
        if (!live()) return;
        done();
        ready = true;
        markStarted();
      },
    });
    if (!live()) return watch.stop();
    stopWatch = () => watch.stop();
    const unfinished = setTimeout(() => (ready ? undefined : watch.stop(new Error('the pass did not end'))), PASS_MS);
    try {
      for await (const entry of watch) {
        if (!live()) return;
        seen(entry);
      }
      if (live()) throw new Error('the watch ended');
    } finally {
      clearTimeout(unfinished);
    }
  };

  const restart = async (): Promise<void> => {
    const own = ++generation;
    ready = false;
    stopWatch();
    while (own === generation && !stopped && !bucket.bus.connection.isClosed()) {
      try {
        await pass(own);
      } catch (error) {
        if (own !== generation || stopped || bucket.bus.connection.isClosed()) return;
        ready = false;
        bucket.bus.logger.debug({ err: error, bucket: bucket.name }, 'KV watch begins anew');
        await sleep(RETRY_MS);
      }
    }
  };

  const off = bucket.bus.onReconnect(() => void restart());
  void restart();
  return {
    ready: () => ready && bucket.bus.connected(),
    started,
    stop() {
      stopped = true;
      off();
      stopWatch();
    },
  };
}
