import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../tools/jest/server-process.js';
import { ROOT } from './environment.js';

export interface FleetOptions {
  data?: string;
  port?: number;
  env?: NodeJS.ProcessEnv;
}

/** The launcher with a data folder of its own: what `npm start` runs. Each process can be killed by the name of its pid file. */
export class Fleet {
  readonly data: string;
  readonly port: number;
  url = '';
  key = '';
  readySeconds = 0;
  private child: ChildProcess | null = null;
  private readonly env: NodeJS.ProcessEnv;

  private constructor(data: string, port: number, env: NodeJS.ProcessEnv) {
    this.data = data;
    this.port = port;
    this.env = env;
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(
      options.data ?? mkdtempSync(join(tmpdir(), 'tunefleet-test-')),
      options.port ?? (await freePort()),
      options.env ?? {},
    );
    await fleet.launch();
    return fleet;
  }

  /** Start the launcher (again) on the same folder and port; waits for its ready line. */
  async launch(): Promise<void> {
    const started = Date.now();
    const child = spawn(process.execPath, [join(ROOT, 'deploy/local/dist/main.js')], {
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        TUNEFLEET_DATA: this.data,
        TUNEFLEET_PORT: String(this.port),
        TUNEFLEET_API_KEY: 'acceptance-admin-key',
        ...this.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const ready = /^tunefleet ready url=(\S+) key=/.exec(line);
      if (!ready?.[1]) continue;
      this.url = ready[1];
      this.key = 'acceptance-admin-key';
      this.readySeconds = (Date.now() - started) / 1000;
      return;
    }
    throw new Error(`the fleet did not become ready:\n${errors}`);
  }

  pid(name: string): number | null {
    const file = join(this.data, 'run', `${name}.pid`);
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : null;
  }

  pids(): Record<string, number> {
    const names = readdirSync(join(this.data, 'run')).filter((name) => name.endsWith('.pid'));
    return Object.fromEntries(names.map((name) => [name.slice(0, -4), this.pid(name.slice(0, -4)) ?? 0]));
  }

  /** kill -9; throws where no such process is listed. */
  kill(name: string): void {
    const pid = this.pid(name);
    if (pid === null) throw new Error(`no ${name}.pid; there are ${Object.keys(this.pids()).join(', ')}`);
    process.kill(pid, 'SIGKILL');
  }

  /** kill -9 of every process at once, the launcher first so that it restarts nothing. */
  killAll(): void {
    const { launcher, ...rest } = this.pids();
    for (const pid of [launcher, ...Object.values(rest)]) {
      try {
        if (pid) process.kill(pid, 'SIGKILL');
      } catch {
        // already gone
      }
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
    return child.exitCode;
  }

  async exited(): Promise<void> {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.data, { recursive: true, force: true });
  }
}
