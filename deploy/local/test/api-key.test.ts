import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { adminKey } from '../src/api-key.js';
import type { Folders } from '../src/config.js';

test('a key made by a start that failed before its ready line is printed by the next one, and then no more', () => {
  const secrets = mkdtempSync(join(tmpdir(), 'tunefleet-key-'));
  const folders = { secrets } as Folders;
  try {
    const failed = adminKey(folders, undefined);
    const next = adminKey(folders, undefined);
    expect(next.shown).toBe(failed.shown);
    expect(next.shown).toBe(readFileSync(next.file, 'utf8'));
    next.wasShown();
    expect(adminKey(folders, undefined).shown).toBe('(unchanged)');
  } finally {
    rmSync(secrets, { recursive: true });
  }
});
