import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@jest/globals';
import { codeIdentity } from '../../src/index.js';

/** A package that depends on another one of ours and on a foreign one, with one file changed; the identity of its code. */
async function identityWith(changed: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-code-'));
  const files = {
    'package.json': '{"dependencies": {"@tunefleet/below": "workspace:*", "foreign": "1.0.0"}}',
    'dist/index.js': 'export const a = 1;',
    'dist/deep/part.js': 'export const b = 2;',
    'dist/index.d.ts': 'export declare const a = 1;',
    'test/part.test.ts': 'not built',
    'node_modules/@tunefleet/below/package.json': '{"name": "@tunefleet/below", "exports": {".": {"default": "./dist/index.js"}}}',
    'node_modules/@tunefleet/below/dist/index.js': 'export const c = 3;',
    ...changed,
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(root, name, '..'), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return codeIdentity(pathToFileURL(join(root, 'dist/deep/part.js')).href);
}

test.each([
  ['dist/index.js', 'export const a = 2;'],
  ['dist/deep/part.js', 'export const b = 3;'],
  ['dist/deep/more.js', ''],
  ['node_modules/@tunefleet/below/dist/index.js', 'export const c = 4;'],
  ['package.json', '{"dependencies": {"@tunefleet/below": "workspace:*", "foreign": "1.0.1"}}'],
])('another %s is other code', async (name, text) => {
  expect(await identityWith({ [name]: text })).not.toBe(await identityWith({}));
});

test('types and tests are no code that runs, and where it lies does not count', async () => {
  expect(await identityWith({ 'dist/index.d.ts': '', 'test/part.test.ts': '' })).toBe(await identityWith({}));
});
