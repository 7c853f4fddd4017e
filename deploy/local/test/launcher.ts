import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('fixtures/launcher.mjs', import.meta.url));

/** A data folder of a test, in which launchers come and go. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'tunefleet-launcher-'));
  readonly #launchers: Launcher[] = [];

  start(env: Record<string, string> = {}): Launcher {
    const launcher = new Launcher({ TUNEFLEET_PORT: '0', ...env, TUNEFLEET_DATA: this.path });
    this.#launchers.push(launcher);
    return launcher;
  }

  /** pid by process name, as the pid files tell. */
  pids(): Record<string, number> {
    const names = readdirSync(join(this.path, 'run')).filter((file) => file.endsWith('.pid'));
    return Object.fromEntries(names.map((file) => [file.slice(0, -4), Number(readFileSync(join(this.path, 'run', file), 'utf8'))]));
  }

  async remove(): Promise<void> {
    for (const launcher of this.#launchers) launcher.child.kill('SIGTERM');
    await Promise.all(this.#launchers.map((launcher) => launcher.ended));
    rmSync(this.path, { recursive: true, force: true });
  }
}

export class Launcher {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;

  constructor(env: Record<string, string>) {
    const { NODE_OPTIONS: _, ...inherited } = process.env;
    this.child = spawn(process.execPath, [script], { env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve(signal ?? code ?? 0)));
  }

  /** The parts of its ready line. */
  async ready(): Promise<{ url: string; key: string }> {
    await until(() => this.stdout.includes('\n') || this.child.exitCode !== null, 15_000);
    const line = /^tunefleet ready url=(http:\/\/127\.0\.0\.1:\d+) key=(\S+)\n$/.exec(this.stdout);
    if (!line) throw new Error(`not ready: ${this.stdout}${this.stderr}`);
    return { url: line[1] ?? '', key: line[2] ?? '' };
  }
}

/** Waits for a condition; rejects after `ms`. */
export const until = async (condition: () => boolean | Promise<boolean>, ms = 10_000): Promise<void> => {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('it did not come about in time');
    await sleep(20);
  }
};

/** Whether a process lives: a zombie that nobody reaps does not. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH' && process.platform !== 'linux';
  }
};
