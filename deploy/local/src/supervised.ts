import { type ChildProcess, fork, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Folders } from './config.js';
import { type Note, openLog } from './logs.js';
import { removePid, writePid } from './pid-files.js';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5000;
const STABLE_MS = 30_000; // a process that lived so long starts its back-off anew

export interface ProcessSpec {
  /** Names its pid file and its log. */
  readonly name: string;
  /** A node script, which gets an IPC channel as its life line; or a program. */
  readonly run: { readonly script: string } | { readonly program: string; readonly args: readonly string[] };
  readonly env: Readonly<Record<string, string>>;
  readonly isReady: () => Promise<boolean>;
}

/** A process that is started again, with back-off, whenever it ends without being told to. */
export class Supervised {
  readonly spec: ProcessSpec;
  /** How often it ended by itself. */
  failures = 0;
  readonly #folders: Folders;
  readonly #note: Note;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #delay = FIRST_DELAY_MS;
  #stopping = false;

  constructor(spec: ProcessSpec, folders: Folders, note: Note) {
    this.spec = spec;
    this.#folders = folders;
    this.#note = note;
  }

  start(): void {
    if (this.#stopping) return;
    const startedAt = Date.now();
    const child = this.#spawn();
    this.#child = child;
    if (child.pid !== undefined) writePid(this.#folders.run, this.spec.name, child.pid);
    this.#ended = new Promise((resolve) => {
      const over = (how: string): void => {
        if (this.#child !== child) return;
        this.#child = undefined;
        if (child.pid !== undefined) removePid(this.#folders.run, this.spec.name, child.pid);
        resolve();
        if (!this.#stopping) this.#again(how, Date.now() - startedAt);
      };
      child.once('error', (error) => over(error.message));
      child.once('exit', (code, signal) => over(String(signal ?? code)));
    });
  }

  /** SIGTERM; SIGKILL after `patience` ms. Resolves when it has ended. */
  async stop(patience: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.#note('does not end, is killed', { process: this.spec.name, pid: child.pid });
      child.kill('SIGKILL');
    }, patience);
    await this.#ended;
    clearTimeout(timer);
    this.#killGroup(child);
  }

  /** kill -9 at once, for a launcher that itself is about to die. */
  killNow(): void {
    this.#stopping = true;
    if (this.#child) this.#killGroup(this.#child);
  }

  #spawn(): ChildProcess {
    const log = openLog(this.#folders.logs, this.spec.name);
    const { run, env } = this.spec;
    try {
      // Detached: Ctrl-C in the terminal reaches the launcher alone, which then ends the fleet in order.
      if ('script' in run) return fork(run.script, [], { env, execArgv: [], detached: true, stdio: ['ignore', log, log, 'ipc'] });
      return spawn(run.program, run.args, { env, detached: true, stdio: ['ignore', log, log] });
    } finally {
      closeSync(log);
    }
  }

  #again(how: string, livedMs: number): void {
    this.failures += 1;
    if (livedMs >= STABLE_MS) this.#delay = FIRST_DELAY_MS;
    this.#note('ended, is started again', { process: this.spec.name, how, inMs: this.#delay });
    this.#timer = setTimeout(() => this.start(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY_MS);
  }

  /** What a process may have left in its group ends with it. */
  #killGroup(child: ChildProcess): void {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // nobody left
    }
  }
}
