import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, ServerProcess } from './server-process.js';
import { readTools } from './tools.js';

// The same server from the tools cache and as a container; the tag is the version that set-up builds.
const IMAGE = 'versity/versitygw:v1.8.0';
const ACCESS = 'tunefleet-test';
const SECRET = 'tunefleet-test-secret';
const REGION = 'us-east-1';
const BUCKET = 'tunefleet-test';

/** Why there is no S3 server, for `skipUnless`; undefined where there is one. */
export const s3Missing = (): string | undefined => {
  if (process.env['TUNEFLEET_TEST_S3_URL']) return undefined;
  const found = readTools().s3;
  if (!found) return 'S3: no server was looked for; run `node tools/setup.mjs --tests`';
  if (found.kind === 'none') return `S3: ${found.reason}`;
  return found.kind === 'url' ? 'S3: TUNEFLEET_TEST_S3_URL is no longer set; run `node tools/setup.mjs --tests`' : undefined;
};

export interface S3TestServer {
  /** `http://127.0.0.1:PORT`: the same after a restart. */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** A bucket that exists. */
  readonly bucket: string;
  /** Whether `start`, `stop` and `kill` work: not for a server that is given by its URL. */
  readonly restartable: boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  close(): Promise<void>;
}

const notOurs = (): Promise<never> => Promise.reject(new Error('this S3 server cannot be stopped by the test'));

/** `http://ACCESS:SECRET@HOST:PORT/BUCKET?region=REGION`, percent-encoded where need be; the bucket has to exist. */
const fromUrl = (text: string): S3TestServer => {
  const url = new URL(text);
  return {
    endpoint: url.origin,
    region: url.searchParams.get('region') ?? REGION,
    accessKeyId: decodeURIComponent(url.username),
    secretAccessKey: decodeURIComponent(url.password),
    bucket: url.pathname.slice(1) || BUCKET,
    restartable: false,
    start: notOurs,
    stop: notOurs,
    kill: notOurs,
    close: () => Promise.resolve(),
  };
};

const common = { region: REGION, accessKeyId: ACCESS, secretAccessKey: SECRET, bucket: BUCKET };

const fromBinary = async (path: string): Promise<S3TestServer> => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-s3-'));
  // A folder below the top one is a bucket; metadata beside it, because not every temporary folder has extended attributes.
  mkdirSync(join(folder, 'buckets', BUCKET), { recursive: true });
  mkdirSync(join(folder, 'metadata'));
  const port = await freePort();
  const listen = ['--port', `127.0.0.1:${port}`, '--access', ACCESS, '--secret', SECRET, '--region', REGION, '--quiet'];
  const store = ['posix', '--sidecar', join(folder, 'metadata'), join(folder, 'buckets')];
  const server = new ServerProcess(path, [...listen, ...store], port);
  await server.start();
  return {
    ...common,
    endpoint: `http://127.0.0.1:${port}`,
    restartable: true,
    start: () => server.start(),
    stop: () => server.stop(),
    kill: () => server.kill(),
    close: async () => {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

const fromDocker = async (): Promise<S3TestServer> => {
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers');
  const script = `mkdir -p /data/${BUCKET} /metadata && exec $(command -v versitygw || echo /app/versitygw) --port :7070 --access ${ACCESS} --secret ${SECRET} --region ${REGION} --quiet posix --sidecar /metadata /data`;
  const container = await new GenericContainer(IMAGE)
    .withEntrypoint(['/bin/sh', '-c', script])
    .withExposedPorts({ container: 7070, host: await freePort() })
    .start();
  // The container's own stop() remembers that it ran once and does nothing from then on, though restart() came between.
  const end = async (timeout: number): Promise<void> => {
    const { container: containers } = await getContainerRuntimeClient();
    await containers.stop(containers.getById(container.getId()), { timeout });
  };
  return {
    ...common,
    endpoint: `http://${container.getHost()}:${container.getMappedPort(7070)}`,
    restartable: true,
    start: () => container.restart(),
    stop: () => end(10_000),
    kill: () => end(0),
    close: async () => {
      await container.stop();
    },
  };
};

/** A real S3 server with an empty bucket, from the first that set-up found: a URL, a Docker engine, versitygw in the tools cache. */
export const startS3Server = async (): Promise<S3TestServer> => {
  const missing = s3Missing();
  if (missing) throw new Error(missing);
  const url = process.env['TUNEFLEET_TEST_S3_URL'];
  if (url) return fromUrl(url);
  const found = readTools().s3;
  return found?.kind === 'versitygw' ? fromBinary(found.path) : fromDocker();
};
