import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect } from '@jest/globals';

/** Compares a text with the committed one; `UPDATE_IR=1` writes it, for a reviewer to read the difference. */
export const expectGolden = (file: string, text: string): void => {
  if (process.env['UPDATE_IR']) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  if (!existsSync(file)) throw new Error(`${file} is not there: UPDATE_IR=1 writes it`);
  expect(text).toBe(readFileSync(file, 'utf8'));
};
