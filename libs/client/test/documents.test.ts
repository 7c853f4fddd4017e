import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ERRORS, LIMITS } from '@tunefleet/contracts';
import { repository } from '../../../tools/jest/tools.js';
import { codeBlock, codes, document, propertyPaths, tableRows, undocumented } from './documents.js';

test('each limit stands in docs/operations.md with its value and a code that exists', () => {
  const text = document('docs', 'operations.md');
  const rows = new Map(
    tableRows(text.slice(text.indexOf('## Limits'), text.indexOf('## After a crash'))).map((row) => [codes(row[0])[0], row]),
  );
  rows.delete(undefined);
  expect([...rows.keys()].sort()).toEqual(Object.keys(LIMITS).sort());
  for (const [name, value] of Object.entries(LIMITS)) {
    const [, shown, refused] = rows.get(name) ?? [];
    expect([name, shown]).toEqual([name, value.toLocaleString('en-US')]);
    for (const code of codes(refused)) expect(Object.keys(ERRORS)).toContain(code);
  }
});

interface Package {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

const packageFiles = (): string[] => {
  const folders = ['libs', 'services', 'deploy'].flatMap((parent) =>
    readdirSync(join(repository, parent)).map((name) => join(parent, name)),
  );
  return ['', 'acceptance', 'base-models', 'bench', 'quickstart', ...folders]
    .map((folder) => join(folder, 'package.json'))
    .filter((file) => existsSync(join(repository, file)));
};

test('each dependency of any package is listed with why it is there, and pinned', () => {
  const used = new Map<string, string>();
  for (const file of packageFiles()) {
    const { dependencies, devDependencies } = JSON.parse(document(file)) as Package;
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
      if (!name.startsWith('@tunefleet/')) used.set(name, version);
  }
  const listed = tableRows(document('docs', 'decisions', '0001-dependencies.md')).filter((row) => row[0] !== 'package');
  const names = new Set(listed.map((row) => codes(row[0])[0]));
  expect([...used.keys()].filter((name) => !names.has(name))).toEqual([]);
  for (const row of listed) expect(row[1]?.length).toBeGreaterThan(10);
  expect([...used].filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test('each variable that a service reads stands in docs/operations.md or docs/architecture.md', () => {
  const text = document('docs', 'operations.md') + document('docs', 'architecture.md');
  const services = readdirSync(join(repository, 'services'));
  const read = services.flatMap((name) => document('services', name, 'src', 'config.ts').match(/TUNEFLEET_[A-Z_]+/g) ?? []);
  expect(read.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test.each(['tensor', 'models', 'training-core'])('the README of %s lists the folders of its source', (library) => {
  const folders = readdirSync(join(repository, 'libs', library, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const text = document('libs', library, 'README.md');
  expect(folders.map(({ name }) => `src/${name}/`).filter((folder) => !text.includes(folder))).toEqual([]);
});

test('each decision is in the index', () => {
  const pages = readdirSync(join(repository, 'docs', 'decisions')).filter((name) => /^\d{4}-/.test(name));
  const index = document('docs', 'decisions', 'README.md');
  expect(pages.filter((page) => !index.includes(`(${page})`))).toEqual([]);
});

test('links between the documents lead somewhere', () => {
  const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { cwd: repository, encoding: 'utf8' })
    .trim()
    .split('\n');
  const broken = tracked
    .filter((file) => file === 'README.md' || file.startsWith('docs/') || file.startsWith('examples/'))
    .flatMap((file) =>
      [...document(file).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
        .map(([, link]) => link ?? '')
        .filter((link) => !existsSync(join(repository, dirname(file), link)))
        .map((link) => `${file}: ${link}`),
    );
  expect(broken).toEqual([]);
});

test("the README's examples are 20 lines", () => {
  for (const language of ['ts', 'python'])
    expect(
      codeBlock(document('README.md'), language)
        .split('\n')
        .filter((line) => line.trim() !== '').length,
    ).toBeLessThanOrEqual(20);
});

test('paths of a schema go through arrays and unions; a star covers what is below', () => {
  const schema = { properties: { a: { anyOf: [{ items: { properties: { b: {} } } }, {}] }, c: { properties: { d: {} } } } };
  expect(propertyPaths(schema)).toEqual(['a', 'a[].b', 'c', 'c.d']);
  expect(undocumented(['a', 'a[].b', 'c', 'c.d'], ['a', 'c', 'c.*'])).toEqual(['a[].b']);
});
