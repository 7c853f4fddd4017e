import { type ChildProcess, spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_MS = 20_000; // a server that does not listen by then will not

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

/**
 * A port that is free now and that no outgoing connection takes while its server is down: 20000-32000 lies below the
 * range from which kernels give local ports (32768 on Linux, 49152 elsewhere).
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await isFree(port)) return port;
  }
};

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** A real server as a child process: it can be stopped, killed with -9 and started again on the same port and folder. */
export class ServerProcess {
  #child: ChildProcess | undefined;
  #output = '';
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #port: number;

  constructor(command: string, args: readonly string[], port: number) {
    this.#command = command;
    this.#args = args;
    this.#port = port;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the server listens; does nothing while it runs. */
  async start(): Promise<void> {
    if (this.#child) return;
    const child = spawn(this.#command, this.#args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-4000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.once('error', keep.bind(undefined, Buffer.from('cannot be started')));
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    process.once('exit', () => child.kill('SIGKILL'));
    const deadline = Date.now() + READY_MS;
    while (!(await listens(this.#port))) {
      if (this.#child !== child || Date.now() > deadline) {
        child.kill('SIGKILL');
        throw new Error(`${this.#command} does not listen on ${this.#port}: ${this.#output}`);
      }
      await sleep(20);
    }
  }

  /** SIGTERM, and its end. */
  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** kill -9, and its end. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const hurry = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(hurry);
  }
}
