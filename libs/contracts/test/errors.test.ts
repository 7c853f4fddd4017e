import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { errorsPage } from '../src/error-meanings.js';
import { ERRORS } from '../src/errors.js';

const page = new URL('../../../docs/errors.md', import.meta.url);

test('docs/errors.md is what the table says (WRITE_DOCS=1 writes it)', () => {
  if (process.env['WRITE_DOCS']) writeFileSync(page, errorsPage());
  expect(readFileSync(page, 'utf8')).toBe(errorsPage());
});

test('every code has its row, once', () => {
  for (const code of Object.keys(ERRORS)) expect(errorsPage().split(`| \`${code}\` |`)).toHaveLength(2);
});

test('no status leaves that an OpenAI client would retry by itself unless a retry helps', () => {
  for (const [code, { status }] of Object.entries(ERRORS)) expect([code, [408, 409].includes(status)]).toEqual([code, false]);
});
