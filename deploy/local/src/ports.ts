import { createServer } from 'node:net';

// Below the range from which kernels take the local ports of outgoing connections (32768 on Linux, 49152 elsewhere):
// nobody's connection sits on a service's port while that service restarts.
const LOWEST = 20_000;
const HIGHEST = 32_000;

/** Whether 127.0.0.1:port can be listened on now. */
export const isFree = (port: number): Promise<boolean> =>
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
