import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readCompose } from '../../acceptance/harness/compose-file.js';
import { writeClusterSecrets } from '../../deploy/local/src/cluster-secrets.js';

const compose = readCompose();
const SERVICES = ['gateway', 'dataset', 'trainer', 'evaluator', 'model-registry', 'inference', 'trainer-pod'];
const OWNERS_OF_OBJECTS = ['dataset', 'trainer', 'evaluator', 'model-registry'];

test('the fleet, NATS and an S3 server are there', () => {
  expect(Object.keys(compose.services).sort()).toEqual([...SERVICES, 'nats', 's3'].sort());
});

test.each(SERVICES)('%s: its own entry point and NATS user, not root, read-only root, S3 only where it owns objects', (name) => {
  const service = compose.services[name];
  expect(service).toMatchObject({ command: ['node', `services/${name}/dist/server.js`], read_only: true, user: '1000:1000' });
  expect(service?.environment).toMatchObject({ NATS_URL: 'nats://nats:4222', NATS_CREDS_FILE: `/run/secrets/nats-${name}` });
  expect(Object.keys(service?.environment ?? {}).some((key) => key.startsWith('AWS_'))).toBe(OWNERS_OF_OBJECTS.includes(name));
});

test('every secret that is used is declared as a file, every file used, and no password stands in the text', () => {
  const used = new Set(Object.values(compose.services).flatMap((service) => service.secrets ?? []));
  expect([...used].sort()).toEqual(Object.keys(compose.secrets).sort());
  for (const { file } of Object.values(compose.secrets)) expect(file).toMatch(/^\.\/secrets\//);
});

test.each(SERVICES)('%s: each file that its environment names is one of its secrets', (name) => {
  const { environment = {}, secrets = [] } = compose.services[name] ?? { image: '' };
  const files = Object.values(environment).flatMap((value) => /^\/run\/secrets\/(.*)$/.exec(value)?.[1] ?? []);
  expect(files.sort()).toEqual([...secrets].sort());
});

test('make-secrets makes every file that is declared', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-secrets-'));
  const names = Object.values(compose.secrets).map(({ file }) => file.replace('./secrets/', ''));
  expect([...writeClusterSecrets(folder).files].sort()).toEqual(names.sort());
  expect(readdirSync(folder).sort()).toEqual(names.sort());
  rmSync(folder, { recursive: true });
});

test('images are pinned and only the gateway is published, on loopback', () => {
  for (const [name, service] of Object.entries(compose.services)) {
    expect(service.image).toMatch(/:v?\d+\.\d+\.\d+$/);
    expect(service.ports).toEqual(name === 'gateway' ? ['127.0.0.1:8080:8080'] : undefined);
  }
});
