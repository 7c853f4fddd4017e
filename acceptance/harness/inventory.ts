import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { called } from './client.js';

/** Last in each test file: every route that routes.json gives to this file has been called. */
export function coversInventory(file: string): void {
  test('the routes that the inventory gives to this file have been called', () => {
    const inventory = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'routes.json'), 'utf8')) as Record<string, string[]>;
    expect((inventory[file] ?? []).filter((route) => !called.has(route))).toEqual([]);
  });
}
