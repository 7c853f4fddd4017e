/**
 * Aborts when this process is told to end: SIGTERM, Ctrl-C, a closed terminal, or the end of a parent that forked it.
 * A second signal changes nothing: npm hands on the Ctrl-C that the terminal has already sent, and the drain is bounded.
 */
export const stopSignal = (): AbortSignal => {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  process.on('disconnect', () => stop.abort());
  return stop.signal;
};
