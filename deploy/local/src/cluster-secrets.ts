import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsConfig } from './nats-config.js';
import { once, readSecrets, writeSecret } from './secrets.js';
import { SERVICES } from './services.js';

const LISTEN = '0.0.0.0:4222'; // the container's own network
const MONITOR = 'http: "0.0.0.0:8222"\n'; // /healthz, for the probes of Kubernetes
const STORE = '/data'; // a volume, in compose and in Kubernetes

export interface ClusterSecrets {
  /** Names of the files there are now. */
  readonly files: readonly string[];
  /** Whether nats.conf is not what these credentials and this version's permissions give: it was edited, or made by another version. */
  readonly differs: boolean;
}

/**
 * Makes the files that compose reads as secrets and that Kubernetes' Secrets are made from; what is there stays as it is.
 * `identity-key`, `admin-key`, `s3-secret-key`, `nats-<service>` (`user:password`), and `nats.conf` with these users. Mode 0600.
 */
export const writeClusterSecrets = (folder: string): ClusterSecrets => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const users = SERVICES.map(({ name }) => name);
  const { passwords } = readSecrets(folder, users);
  once(join(folder, 'admin-key'), () => `sk-tunefleet-${randomBytes(32).toString('base64url')}`);
  once(join(folder, 's3-secret-key'), () => randomBytes(30).toString('base64url')); // 40 characters, as AWS's have
  const quoted = new Map([...passwords].map(([user, password]) => [user, JSON.stringify(password)]));
  const wanted = MONITOR + natsConfig(LISTEN, STORE, quoted);
  const config = join(folder, 'nats.conf');
  if (!existsSync(config)) writeSecret(config, wanted);
  return {
    files: ['identity-key', 'admin-key', 's3-secret-key', ...users.map((user) => `nats-${user}`), 'nats.conf'],
    differs: readFileSync(config, 'utf8') !== wanted,
  };
};
