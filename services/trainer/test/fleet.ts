import { type ChildProcess, fork } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type FineTuningJob,
  type FineTuningJobEvent,
  IDENTITY_HEADER,
  type MetricsRow,
  type ResolvedModel,
  signIdentity,
} from '@tunefleet/contracts';
import { natsConfig } from '../../../deploy/local/src/nats-config.js';
import { type NatsTestServer, startNatsServer } from '../../../tools/jest/nats-server.js';
import { freePort } from '../../../tools/jest/server-process.js';
import { type DatasetStandIn, startDataset } from './dataset-stand-in.js';

const ROOT = join(import.meta.dirname, '../../..');
const KEY = 'k'.repeat(32);

/** Each service is a user of NATS with the permissions of a real fleet. */
const PASSWORDS = new Map(['trainer', 'trainer-pod', 'model-registry', 'dataset'].map((user) => [user, '"secret"']));

export type ServiceName = 'trainer' | 'trainer-pod' | 'model-registry' | 'dataset';

export interface List<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
}

/** Real processes on a real nats-server and a folder: trainer, pod, model-registry, and dataset; or in dataset's place this process, with real shards of any shape. */
export class Fleet {
  readonly children = new Map<ServiceName, ChildProcess>();
  folder!: string;
  runFolder!: string;
  readonly logs = new Map<string, string>();
  private readonly ports = new Map<string, number>();
  nats!: NatsTestServer;
  dataset!: DatasetStandIn;

  /** @param base a Hugging Face folder, registered as `tiny`; with it dataset is the real one */
  async start(base?: string): Promise<void> {
    this.folder = mkdtempSync(join(tmpdir(), 'tunefleet-trainer-'));
    this.runFolder = join(this.folder, 'run');
    mkdirSync(this.runFolder);
    mkdirSync(join(this.folder, 'tmp'));
    cpSync(base ?? join(ROOT, 'libs/models/test/fixtures/tiny-llama'), join(this.folder, 'bases/tiny'), { recursive: true });
    this.nats = await startNatsServer(({ port, store }) => natsConfig(`127.0.0.1:${port}`, store, PASSWORDS));
    const services: ServiceName[] = ['model-registry', 'trainer', 'trainer-pod'];
    if (base) services.push('dataset');
    else this.dataset = await startDataset(this.nats.url, join(this.folder, 'objects'), KEY);
    await Promise.all(services.map((name) => this.run(name)));
  }

  /** Starts a service (again): on the same port, ready when it resolves. */
  async run(name: ServiceName, extra: Record<string, string> = {}): Promise<ChildProcess> {
    const port = this.ports.get(name) ?? (await freePort());
    this.ports.set(name, port);
    const child = fork(join(ROOT, 'services', name, 'dist/server.js'), [], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env['PATH'],
        TMPDIR: join(this.folder, 'tmp'),
        PORT: String(port),
        LOG_LEVEL: 'debug',
        NATS_URL: this.nats.url,
        NATS_CREDS: `${name}:secret`,
        TUNEFLEET_IDENTITY_KEY: KEY,
        ...(name === 'trainer-pod'
          ? {
              TUNEFLEET_RUN_DIR: this.runFolder,
              TUNEFLEET_ENGINE_THREADS: '1',
              TUNEFLEET_HEARTBEAT_MS: '500',
              TUNEFLEET_SNAPSHOT_UPLOAD_MS: '0',
            }
          : { TUNEFLEET_OBJECTS: join(this.folder, 'objects') }),
        ...(name === 'model-registry' ? { TUNEFLEET_BASE_MODELS: join(this.folder, 'bases') } : {}),
        ...(name === 'trainer' ? { TUNEFLEET_LEASE_MS: '3000' } : {}),
        ...extra,
      },
    });
    const keep = (chunk: Buffer) => this.logs.set(name, (this.logs.get(name) ?? '') + chunk.toString());
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    this.children.set(name, child);
    const deadline = Date.now() + 20_000;
    for (;;) {
      const ready = await fetch(`http://127.0.0.1:${port}/health/ready`)
        .then((r) => r.ok)
        .catch(() => false);
      if (ready) return child;
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`${name} is not ready:\n${this.logs.get(name)}`);
      await sleep(50);
    }
  }

  /** Sends a signal and waits for the end. */
  async end(name: ServiceName, signal: NodeJS.Signals): Promise<number | null> {
    const child = this.children.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return ended;
  }

  /** Keys of stored objects below a prefix, without it. */
  objects(prefix: string): string[] {
    const folder = join(this.folder, 'objects', prefix);
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return entries.map((entry) => relative(folder, join(entry.parentPath, entry.name))).sort();
  }

  /** Pids of training processes, as their files say. */
  trainingPids(): number[] {
    return readdirSync(this.runFolder)
      .filter((file) => file.startsWith('training-') && file.endsWith('.pid'))
      .map((file) => Number(readFileSync(join(this.runFolder, file), 'utf8')));
  }

  /** Uploads a training file to the real dataset. */
  async upload(name: string, content: string): Promise<string> {
    const form = new FormData();
    form.append('file', new Blob([content]), name);
    form.append('purpose', 'fine-tune');
    const identity = signIdentity({ project: 'default', keyId: 'key_test', scope: 'write' }, KEY);
    const url = `http://127.0.0.1:${this.ports.get('dataset')}/v1/files`;
    const response = await fetch(url, { method: 'POST', headers: { [IDENTITY_HEADER]: identity }, body: form });
    return ((await response.json()) as { id: string }).id;
  }

  async api<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    options: { project?: string; headers?: Record<string, string> } = {},
  ) {
    const identity = signIdentity({ project: options.project ?? 'default', keyId: 'key_test', scope: 'write' }, KEY);
    const response = await fetch(`http://127.0.0.1:${this.ports.get('trainer')}/v1/fine_tuning${path}`, {
      method,
      headers: { [IDENTITY_HEADER]: identity, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as T };
  }

  /** Makes a job; its id. Throws what a refusal says. */
  async create(body: object): Promise<string> {
    const { status, body: job } = await this.api<FineTuningJob>('POST', '/jobs', body);
    if (status !== 200) throw new Error(`a job was refused: ${JSON.stringify(job)}`);
    return job.id;
  }

  /** A job's steps so far. */
  async metrics(id: string): Promise<MetricsRow[]> {
    return (await this.api<List<MetricsRow>>('GET', `/jobs/${id}/metrics`)).body.data;
  }

  /** All of a job's events, newest first, `limit` a page. */
  async events(id: string, limit = 100): Promise<FineTuningJobEvent[]> {
    const events: FineTuningJobEvent[] = [];
    for (let after = ''; ; after = `&after=${events.at(-1)!.id}`) {
      const page = (await this.api<List<FineTuningJobEvent>>('GET', `/jobs/${id}/events?limit=${limit}${after}`)).body;
      events.push(...page.data);
      if (!page.has_more) return events;
    }
  }

  /** An event stream, whole. */
  async stream(path: string): Promise<string> {
    const identity = signIdentity({ project: 'default', keyId: 'key_test', scope: 'read' }, KEY);
    const url = `http://127.0.0.1:${this.ports.get('trainer')}/v1/fine_tuning${path}`;
    const response = await fetch(url, { headers: { [IDENTITY_HEADER]: identity, accept: 'text/event-stream' } });
    return response.text();
  }

  /** What the registry says of a model, asked as dataset would. */
  resolve(model: string): Promise<ResolvedModel> {
    return this.dataset.bus.request('model-registry.resolve_model', { project: 'default', model });
  }

  async close(): Promise<void> {
    await Promise.all([...this.children.keys()].map((name) => this.end(name, 'SIGKILL')));
    await this.dataset?.close();
    await this.nats?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
