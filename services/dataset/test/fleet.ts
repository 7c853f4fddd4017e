import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { IDENTITY_HEADER, type Scope, signIdentity } from '@tunefleet/contracts';
import OpenAI from 'openai';
import { repository } from '../../../tools/jest/tools.js';

export const IDENTITY_KEY = 'an identity key for tests, 32+ characters';

/** A service as its own process, on free ports and with its own TMPDIR, that can be killed and started again. */
export class ServiceProcess {
  url = '';
  output = '';
  private child: ChildProcess | undefined;

  constructor(
    private readonly name: string,
    private readonly env: Record<string, string>,
  ) {}

  async start(): Promise<void> {
    const child = fork(join(repository, 'services', this.name, 'dist', 'server.js'), {
      env: { ...process.env, NODE_OPTIONS: '', TUNEFLEET_IDENTITY_KEY: IDENTITY_KEY, LOG_LEVEL: 'warn', PORT: '0', ...this.env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    const keep = (chunk: Buffer) => {
      this.output = (this.output + chunk.toString()).slice(-20_000);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    this.url = await new Promise<string>((resolve, reject) => {
      child.once('message', (message) => resolve((message as { url: string }).url));
      child.once('exit', (code) => reject(new Error(`${this.name} ended with ${code}: ${this.output}`)));
    });
    await until(async () => (await fetch(`${this.url}/health/ready`)).status === 200);
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  get alive(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (!child || !this.alive) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill(signal);
    return ended;
  }
}

export async function until<T>(look: () => Promise<T>, ms = 30_000): Promise<NonNullable<T>> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`nothing within ${ms} ms: ${look}`);
    await sleep(25);
  }
}

const header = (project: string, scope: Scope = 'admin') => signIdentity({ project, keyId: 'key_test', scope }, IDENTITY_KEY);

/** The unmodified SDK; the identity header stands for the gateway. */
export const openai = (url: () => string, project = 'default', options: { maxRetries?: number; scope?: Scope } = {}): OpenAI =>
  new OpenAI({
    apiKey: 'unused',
    baseURL: 'http://service/v1',
    maxRetries: options.maxRetries ?? 0,
    fetch: (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set(IDENTITY_HEADER, header(project, options.scope));
      return fetch(String(input).replace('http://service', url()), { ...init, headers });
    },
  });

export const identity = (project = 'default', scope: Scope = 'admin') => ({ [IDENTITY_HEADER]: header(project, scope) });

export const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'tunefleet-dataset-test-'));
export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 5 });

export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

export const chatRow = (i: number): object => ({
  messages: [
    { role: 'user', content: `Question ${i}?` },
    { role: 'assistant', content: `Answer ${i}.` },
  ],
});

export const jsonl = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
export const chatRows = (n: number): string => jsonl(Array.from({ length: n }, (_, i) => chatRow(i)));
