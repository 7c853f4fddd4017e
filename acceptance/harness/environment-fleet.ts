import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../tools/jest/server-process.js';
import { type NatsTestServer, type S3TestServer, startNatsServer, startS3Server } from '../../tools/jest/servers.js';
import { type ComposeService, imageEnvironment, readCompose } from './compose-file.js';
import { ROOT } from './environment.js';
import { type RoundRobin, roundRobin } from './round-robin.js';
import { ServiceProcess } from './service-process.js';

export interface EnvironmentOptions {
  /** Processes of a service; 1 where it is not named, 0 for none. */
  replicas?: Record<string, number>;
}

/**
 * The services of deploy/compose/compose.yaml as plain processes, configured by that file's environment alone, against a real nats-server with
 * the configuration that make-secrets writes and a real S3 server. Names of containers become addresses on 127.0.0.1, /run/secrets a folder.
 */
export class EnvironmentFleet {
  readonly processes: ServiceProcess[] = [];
  private readonly folder = mkdtempSync(join(tmpdir(), 'tunefleet-environment-'));
  private readonly secrets = join(this.folder, 'secrets');
  private readonly names = new Map<string, RoundRobin>();
  private readonly compose = readCompose();
  private nats: NatsTestServer | null = null;
  private s3: S3TestServer | null = null;

  static async start({ replicas = {} }: EnvironmentOptions = {}): Promise<EnvironmentFleet> {
    const fleet = new EnvironmentFleet();
    try {
      await fleet.startServers();
      await fleet.startServices(replicas);
      return fleet;
    } catch (error) {
      await fleet.stop();
      throw error;
    }
  }

  get url(): string {
    return this.names.get('gateway')?.url ?? '';
  }

  get key(): string {
    return readFileSync(join(this.secrets, 'admin-key'), 'utf8');
  }

  /** One more process of a service, e.g. a pod for one job; it is not waited for. */
  async spawn(name: string, more: Record<string, string> = {}): Promise<ServiceProcess> {
    const service = this.compose.services[name];
    if (!service) throw new Error(`compose.yaml has no ${name}`);
    return this.spawnAt(name, service, await freePort(), more);
  }

  /** SIGTERM to all, the gateway first; answers the exit codes by name. */
  async stop(): Promise<[string, number | string | null][]> {
    const codes: [string, number | string | null][] = [];
    const rank = ({ name }: ServiceProcess): number => (name === 'gateway' ? 0 : name === 'trainer-pod' ? 1 : 2);
    for (const wave of [0, 1, 2])
      await Promise.all(this.processes.filter((p) => rank(p) === wave).map(async (p) => codes.push([p.name, await p.stop()])));
    for (const name of this.names.values()) name.close();
    await this.s3?.close();
    await this.nats?.close();
    rmSync(this.folder, { recursive: true, force: true });
    return codes;
  }

  private async startServers(): Promise<void> {
    this.s3 = await startS3Server();
    mkdirSync(this.secrets);
    writeFileSync(join(this.secrets, 's3-secret-key'), this.s3.secretAccessKey);
    execFileSync(process.execPath, [join(ROOT, 'deploy/compose/make-secrets.mjs'), this.secrets], { stdio: 'ignore', env: {} });
    const monitor = await freePort();
    this.nats = await startNatsServer(({ port, store }) =>
      readFileSync(join(this.secrets, 'nats.conf'), 'utf8')
        .replace('0.0.0.0:4222', `127.0.0.1:${port}`)
        .replace('0.0.0.0:8222', `127.0.0.1:${monitor}`)
        .replace('"/data"', JSON.stringify(store)),
    );
  }

  private async startServices(replicas: Record<string, number>): Promise<void> {
    const planned: { name: string; service: ComposeService; ports: number[] }[] = [];
    for (const [name, service] of Object.entries(this.compose.services)) {
      if (service.command?.[0] !== 'node') continue;
      const ports: number[] = [];
      for (let i = 0; i < (replicas[name] ?? 1); i++) ports.push(await freePort());
      planned.push({ name, service, ports });
      if (ports.length > 0) this.names.set(name, await roundRobin(ports));
    }
    const started = planned.flatMap(({ name, service, ports }) => ports.map((port) => this.spawnAt(name, service, port)));
    await Promise.all(started.map((one) => one.ready()));
  }

  private spawnAt(name: string, service: ComposeService, port: number, more: Record<string, string> = {}): ServiceProcess {
    const folder = mkdtempSync(join(this.folder, `${name}-`));
    const env = {
      ...this.mapped(imageEnvironment()),
      ...this.mapped(service.environment ?? {}),
      HOST: '127.0.0.1',
      PORT: String(port),
      TMPDIR: folder,
      ...more,
    };
    const one = new ServiceProcess(name, join(ROOT, service.command?.[1] ?? ''), env, port);
    this.processes.push(one);
    return one;
  }

  private mapped(environment: Record<string, string>): Record<string, string> {
    const { s3, nats } = this;
    if (!s3 || !nats) throw new Error('the servers are not there yet');
    const given: Record<string, string> = {
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      AWS_REGION: s3.region,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      TUNEFLEET_BUCKET: s3.bucket,
      NATS_URL: nats.url,
      TUNEFLEET_BASE_MODELS: process.env['TUNEFLEET_BASE_MODELS'] ?? join(ROOT, 'base-models'),
    };
    const place = (value: string): string =>
      value
        .replace('/run/secrets/', `${this.secrets}/`)
        .replace(/^http:\/\/([a-z-]+):8080$/, (whole, name: string) => this.names.get(name)?.url ?? whole);
    return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, given[name] ?? place(value)]));
  }
}
