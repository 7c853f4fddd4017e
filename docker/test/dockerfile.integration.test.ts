import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '..', '..');
const SERVICES = ['gateway', 'dataset', 'trainer', 'trainer-pod', 'evaluator', 'model-registry', 'inference'];
const lines = readFileSync(join(ROOT, 'docker', 'Dockerfile'), 'utf8').split('\n');
const build = lines.slice(
  0,
  lines.findIndex((line) => line.startsWith('FROM') && line.includes('AS runtime')),
);

let folder: string;

const ignored = /(^|\/)(node_modules|dist|test)\//; // what docker/Dockerfile.dockerignore keeps out

/** What COPY takes: the files git tracks or would track, less the ignored ones. */
function copy(source: string): void {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', source], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of listed.split('\0').filter((name) => name !== '' && !ignored.test(name) && existsSync(join(ROOT, name))))
    cpSync(join(ROOT, file), join(folder, file), { recursive: true });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunefleet-image-'));
  for (const line of build) {
    const words = line.split(/\s+/).slice(1);
    if (line.startsWith('COPY')) for (const source of words.slice(0, -1)) copy(source);
    if (line.startsWith('RUN'))
      execFileSync('sh', ['-euc', line.slice(4)], {
        cwd: folder,
        stdio: ['ignore', 'ignore', 'inherit'],
        // both clients take what their caches hold and ask the registry for the rest
        env: { ...process.env, NODE_ENV: '', NODE_OPTIONS: '', npm_config_prefer_offline: 'true' },
      });
  }
}, 420_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(SERVICES)('the build lines leave %s ready to start: it comes as far as asking for its settings', (name) => {
  const run = spawnSync(process.execPath, [`services/${name}/dist/server.js`], {
    cwd: folder,
    env: { PATH: dirname(process.execPath) },
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(run.status).not.toBe(0);
  expect(run.stdout + run.stderr).toContain('NATS_URL');
});

test('development packages are left out, bundled base models are in', () => {
  const packages = readdirSync(join(folder, 'node_modules/.pnpm'));
  const development = /^(typescript|jest|@swc\+core|@biomejs\+biome|testcontainers|openai|kubernetes-models|knip)@/;
  expect(packages.filter((name) => development.test(name))).toEqual([]);
  expect(packages.filter((name) => /^(fastify|nats|onnxruntime-node)@/.test(name))).toHaveLength(3);
  expect(statSync(join(folder, 'base-models')).isDirectory()).toBe(true);
});

test('its size is known, and no more than a node image may carry', () => {
  const kilobytes = (path: string): number => Number(execFileSync('du', ['-sk', path], { cwd: folder, encoding: 'utf8' }).split('\t')[0]);
  const [all, packages] = [kilobytes('.'), kilobytes('node_modules')].map((kb) => Math.round(kb / 1024));
  process.stderr.write(`image folder: ${all} MiB, of which packages ${packages} MiB\n`);
  expect(all).toBeLessThan(300);
});

test('the image runs as a numbered user from pinned bases', () => {
  expect(lines.filter((line) => line.startsWith('FROM')).every((line) => /^FROM node:\d+\.\d+\.\d+-bookworm-slim /.test(line))).toBe(true);
  expect(lines).toContain('USER 1000:1000');
});
