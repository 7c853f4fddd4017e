import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

// Below the range from which kernels take the local ports of outgoing connections (32768 on Linux, 49152 elsewhere):
// nobody's connection sits on a service's port while that service restarts.
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** Whether 127.0.0.1:port can be listened on now. */
const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/** As many different free ports as asked for. */
export const freePorts = async (count: number): Promise<number[]> => {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
};

/** Whether the port is free, or becomes so within `ms`: the one who had it may be ending. */
export const becomesFree = async (port: number, ms: number): Promise<boolean> => {
  for (const deadline = Date.now() + ms; ; await sleep(50)) {
    if (await isFree(port)) return true;
    if (Date.now() > deadline) return false;
  }
};
