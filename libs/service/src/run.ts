import type { App } from './app.js';
import type { Logger } from './logger.js';

export interface Phase {
  name: string;
  /** Bound: a phase that takes longer is left behind. */
  seconds: number;
  run: () => Promise<void>;
}

export interface RunOptions {
  name: string;
  config: { PORT: number; HOST: string };
  logger: Logger;
  app: App;
  /** Run in order after HTTP has ended: give work back, drain messaging, close stores. */
  phases: Phase[];
  /** Seconds that requests under way have to end. */
  httpSeconds?: number;
}

// A parent that dies while a service still waits for NATS must not leave it behind: until `runService` knows better, its end is ours.
let parentGone: () => void = () => process.exit(0);
process.on('disconnect', () => parentGone());

async function runPhase(phase: Phase, logger: Logger): Promise<void> {
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${phase.seconds} s`)), phase.seconds * 1000);
  });
  try {
    await Promise.race([phase.run(), late]);
    logger.info({ phase: phase.name, ms: Math.round(performance.now() - started) }, 'shutdown phase done');
  } catch (err) {
    logger.error({ phase: phase.name, err }, 'shutdown phase failed');
  } finally {
    clearTimeout(timer);
  }
}

/** HTTP's own phase: no new connections, idle ones closed, requests under way finished. */
const httpPhase = (app: App, seconds: number): Phase => ({
  name: 'http',
  seconds: seconds + 1,
  run: async () => {
    app.drain();
    const cut = setTimeout(() => app.server.closeAllConnections(), seconds * 1000);
    await app.close().finally(() => clearTimeout(cut));
  },
});

/**
 * Listens, and ends the process in named phases on SIGTERM, SIGINT, or when the parent's IPC channel closes: readiness fails, HTTP drains,
 * then `phases`; exit 0. A second signal exits at once with 130. An uncaught error is logged and exits 1: whoever started us starts us again.
 */
export async function runService({ name, config, logger, app, phases, httpSeconds = 10 }: RunOptions): Promise<{ url: string }> {
  let stopping = false;
  const stop = (reason: string) => {
    if (stopping) {
      if (reason !== 'disconnect') process.exit(130);
      return;
    }
    stopping = true;
    logger.info({ reason }, `${name} is draining`);
    void (async () => {
      for (const phase of [httpPhase(app, httpSeconds), ...phases]) await runPhase(phase, logger);
      logger.info(`${name} has stopped`);
      logger.flush();
      process.exit(0);
    })();
  };
  const crash = (err: unknown) => {
    logger.fatal({ err }, `${name} failed`);
    logger.flush();
    process.exit(1);
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  parentGone = () => stop('disconnect');
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  const url = await app.listen({ port: config.PORT, host: config.HOST });
  logger.info({ url }, `${name} listens`);
  // A parent that chose no port learns it here.
  if (process.connected) process.send?.({ type: 'listening', url });
  return { url };
}
