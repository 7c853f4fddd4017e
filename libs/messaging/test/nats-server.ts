import { natsServerPath, startNatsServer } from '../../../tools/jest/servers.js';

/** The older names of what `tools/jest/servers.ts` offers: use that. */
export interface TestNats {
  url: string;
  port: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
  start(): Promise<void>;
  end(): Promise<void>;
}

export const findNatsServer = (): string | null => natsServerPath() ?? null;

export async function startNats(accounts = ''): Promise<TestNats> {
  const server = await startNatsServer(accounts);
  return {
    url: server.url,
    port: server.port,
    start: () => server.start(),
    stop: (signal = 'SIGTERM') => (signal === 'SIGKILL' ? server.kill() : server.stop()),
    end: () => server.close(),
  };
}
