import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const READY_MS = 60_000;
const KEPT = 20_000; // characters of its log, for a failure's message

/** A service as a process of its own without an IPC channel, with no environment but what is given. */
export class ServiceProcess {
  log = '';
  private readonly child: ChildProcess;

  constructor(
    readonly name: string,
    script: string,
    env: Record<string, string>,
    readonly port: number,
  ) {
    this.child = spawn(process.execPath, [script], {
      env: { PATH: dirname(process.execPath), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer): void => {
      this.log = (this.log + chunk.toString()).slice(-KEPT);
    };
    this.child.stdout?.on('data', keep);
    this.child.stderr?.on('data', keep);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  private get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async ready(): Promise<void> {
    const end = Date.now() + READY_MS;
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${this.port}/health/ready`).catch(() => null);
      await answer?.body?.cancel();
      if (answer?.ok) return;
      if (this.isOver || Date.now() > end) throw new Error(`${this.name} is not ready:\n${this.log}`);
      await wait(100);
    }
  }

  /** Its exit code, or the signal that ended it. */
  async exited(): Promise<number | string | null> {
    if (!this.isOver) await once(this.child, 'exit');
    return this.child.exitCode ?? this.child.signalCode;
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | string | null> {
    if (!this.isOver) this.child.kill(signal);
    return this.exited();
  }
}
