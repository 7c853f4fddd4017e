import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface RoundRobin {
  url: string;
  close(): void;
}

/** One address before the replicas of a service, as compose's and Kubernetes' names are: each connection goes to the next one. */
export async function roundRobin(ports: readonly number[]): Promise<RoundRobin> {
  let next = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const replica = connect(ports[next++ % ports.length] ?? 0, '127.0.0.1');
    for (const [from, to] of [
      [client, replica],
      [replica, client],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
