import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
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

/** What COPY takes from a build context without ignored files: the files git tracks or would track. */
function copy(source: string): void {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', source], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(ROOT, name))))
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
        env: { ...process.env, NODE_ENV: '', NODE_OPTIONS: '' },
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
  for (const name of ['typescript', 'jest', '@biomejs']) expect(existsSync(join(folder, 'node_modules', name))).toBe(false);
  expect(statSync(join(folder, 'base-models')).isDirectory()).toBe(true);
});

test('the image runs as a numbered user from pinned bases', () => {
  expect(lines.filter((line) => line.startsWith('FROM')).every((line) => /^FROM node:\d+\.\d+\.\d+-bookworm-slim /.test(line))).toBe(true);
  expect(lines).toContain('USER 1000:1000');
});
