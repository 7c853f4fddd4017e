import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Service } from 'kubernetes-models/v1/Service';
import { writeClusterSecrets } from '../../deploy/local/src/cluster-secrets.js';
import { BASE, type Container, type Manifest, type PodSpec, readManifests } from './manifests.js';

const MODELS = { Deployment, StatefulSet, Job, NetworkPolicy, ConfigMap, Namespace, Service };
const SERVICES = ['gateway', 'dataset', 'trainer', 'evaluator', 'model-registry', 'inference'];
/** docs/kubernetes.md says how each is made; none is in the repository. */
const SECRETS = new Set(['tunefleet-identity', 'tunefleet-nats-users', 'tunefleet-nats-config', 'tunefleet-s3', 'tunefleet-admin-key']);

const manifests = readManifests();
const objects = manifests.filter((m) => m.kind !== 'Kustomization');
const kustomization = manifests.find((m) => m.kind === 'Kustomization') as (Manifest & { resources: string[] }) | undefined;
const label = (m: Manifest): string => `${m.kind} ${m.metadata.name} (${m.file})`;

const pods = objects.flatMap((m) =>
  m.spec?.template ? [{ name: label(m), of: m, labels: m.spec.template.metadata.labels, spec: m.spec.template.spec }] : [],
);
const containers = pods.flatMap((pod) =>
  pod.spec.containers.map((container) => ({ name: `${pod.name}: ${container.name}`, pod: pod.spec, container })),
);
const eachContainer = (title: string, check: (container: Container, pod: PodSpec) => void): void =>
  test.each(containers)(`${title}: $name`, ({ container, pod }) => check(container, pod));

test.each(objects.map((m) => [label(m), m] as const))('%s is valid for the API server', (_name, { file: _file, ...manifest }) => {
  const model = MODELS[manifest.kind as keyof typeof MODELS] as (new (data: never) => { validate(): void }) | undefined;
  if (!model) throw new Error(`no model for kind ${manifest.kind}; add it to MODELS`);
  expect(() => new model(manifest as never).validate()).not.toThrow();
});

test('a wrong field is found, so the check above can fail', () => {
  expect(() =>
    new Job({ metadata: { name: 'x' }, spec: { template: { spec: { containers: [] } }, backoffLimit: 'six' } } as never).validate(),
  ).toThrow();
});

test('the kustomization lists every file, and each once', () => {
  const files = [...new Set(objects.map((m) => m.file))].sort();
  expect([...(kustomization?.resources ?? [])].sort()).toEqual(files);
});

test('every service has a Deployment and a Service, NATS a StatefulSet, the trainer pod a suspended Job', () => {
  const names = (kind: string): string[] => objects.filter((m) => m.kind === kind).map((m) => m.metadata.name);
  expect(names('Deployment').sort()).toEqual([...SERVICES].sort());
  expect(names('Service').sort()).toEqual([...SERVICES, 'nats'].sort());
  expect(names('StatefulSet')).toEqual(['nats']);
  expect(objects.find((m) => m.kind === 'Job')?.spec).toMatchObject({
    suspend: true,
    podReplacementPolicy: 'Failed',
    template: { spec: { restartPolicy: 'Never' } },
  });
});

describe('pods meet the restricted pod standard', () => {
  test.each(pods)('not root, default seccomp, no token, app labels: $name', ({ spec, labels }) => {
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(labels).toMatchObject({ 'app.kubernetes.io/name': expect.any(String), 'app.kubernetes.io/part-of': 'tunefleet' });
  });
  eachContainer('no escalation, read-only root, no capabilities', (container) =>
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    }),
  );
  eachContainer('requests and limits of cpu and memory', ({ resources }) => {
    for (const part of [resources?.limits, resources?.requests])
      expect(part).toMatchObject({ cpu: expect.any(String), memory: expect.any(String) });
  });
  eachContainer('startup, liveness and readiness probes that are not one and the same', (container) => {
    expect(container.startupProbe).toBeDefined();
    expect(container.livenessProbe?.httpGet.path).not.toBe(container.readinessProbe?.httpGet.path);
  });
  eachContainer('an image with a pinned version', ({ image }) => expect(image).toMatch(/:\d+\.\d+\.\d+$/));
});

describe('secrets', () => {
  eachContainer('are named, known and never literal', (container, pod) => {
    for (const { name, value, valueFrom } of container.env ?? []) {
      if (/KEY|CREDS|SECRET|TOKEN/.test(name)) expect(value).toBeUndefined();
      if (valueFrom?.secretKeyRef) expect(SECRETS).toContain(valueFrom.secretKeyRef.name);
    }
    for (const volume of pod.volumes ?? []) if (volume.secret) expect(SECRETS).toContain(volume.secret.secretName);
  });
  test('the trainer pod gets no S3 credentials and no place of the object store', () => {
    const pod = pods.find((p) => p.of.kind === 'Job')?.spec.containers[0];
    expect(pod?.env?.map((e) => e.name)).toEqual(expect.arrayContaining(['TUNEFLEET_JOB_ID', 'TUNEFLEET_POD_MEMORY_BYTES', 'NATS_CREDS']));
    expect(pod?.env?.some((e) => e.name.startsWith('AWS_'))).toBe(false);
    expect(pod?.envFrom).toEqual([{ configMapRef: { name: 'tunefleet' } }]);
  });
  test('each service has its own NATS user', () => {
    for (const { spec, of } of pods.filter((p) => p.of.metadata.name !== 'nats')) {
      const creds = spec.containers[0]?.env?.find((e) => e.name === 'NATS_CREDS')?.valueFrom?.secretKeyRef;
      expect(creds).toEqual({ name: 'tunefleet-nats-users', key: of.kind === 'Job' ? 'trainer-pod' : of.metadata.name });
    }
  });
});

describe('docs/kubernetes.md', () => {
  const docs = readFileSync(join(BASE, '..', '..', 'docs', 'kubernetes.md'), 'utf8');
  const made = new Map(
    [...docs.matchAll(/create secret generic (\S+) (.*)/g)].map(([, name = '', sources = '']) => [
      name,
      [...sources.matchAll(/--from-(?:file|literal)=([^=]+)=/g)].map(([, key = '']) => key),
    ]),
  );
  test('its commands make every Secret and key that a manifest refers to', () => {
    const references = containers.flatMap(({ container }) => (container.env ?? []).flatMap((e) => e.valueFrom?.secretKeyRef ?? []));
    for (const { name, key } of references) expect([name, made.get(name)]).toEqual([name, expect.arrayContaining([key])]);
    expect([...made.keys()].sort()).toEqual([...SECRETS].sort());
    expect(made.get('tunefleet-nats-config')).toEqual(['nats.conf']);
  });
  test('and take them from files that make-secrets makes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-secrets-'));
    const files = new Set(writeClusterSecrets(folder).files);
    rmSync(folder, { recursive: true });
    const named = [...docs.matchAll(/=secrets\/(\S+)/g)].map(([, file = '']) => file);
    expect(new Set(named)).toEqual(files);
  });
});

describe('time to drain', () => {
  test.each(pods.filter((p) => p.of.metadata.name !== 'nats'))('$name has longer than its shutdown phases take at most', ({ of, spec }) => {
    const service = of.kind === 'Job' ? 'trainer-pod' : of.metadata.name;
    const code = readFileSync(join(BASE, '..', '..', 'services', service, 'src', 'server.ts'), 'utf8');
    const drain = Number(/DRAIN_SECONDS = (\d+)/.exec(code)?.[1] ?? 0);
    const phases = [...code.matchAll(/seconds: (\w+)/g)].map(([, seconds]) => (seconds === 'DRAIN_SECONDS' ? drain : Number(seconds)));
    const http = 11; // runService's own phase comes first
    expect(phases.length).toBeGreaterThan(0);
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(phases.reduce((sum, seconds) => sum + seconds, http));
  });
});

describe('network', () => {
  const policies = objects.filter((m) => m.kind === 'NetworkPolicy');
  test('everything is denied that no policy allows', () => {
    expect(policies.find((p) => p.metadata.name === 'default-deny')?.spec).toEqual({
      podSelector: { matchLabels: {} },
      policyTypes: ['Ingress', 'Egress'],
    });
  });
  test('no policy lets a pod out to the internet, and only the gateway takes traffic from anywhere', () => {
    for (const policy of policies) {
      expect(JSON.stringify(policy.spec)).not.toContain('ipBlock');
      const open = ((policy.spec?.['ingress'] ?? []) as { from?: unknown }[]).some((rule) => rule.from === undefined);
      expect([policy.metadata.name, open]).toEqual([policy.metadata.name, policy.metadata.name === 'gateway']);
      for (const rule of (policy.spec?.['egress'] ?? []) as { to?: unknown }[]) expect(rule.to).toBeDefined();
    }
  });
});
