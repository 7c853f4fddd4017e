import { closeSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openLog, rotateLogs } from '../src/logs.js';

test('a log that grew too large is turned over while its writer goes on, and three older ones are kept', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-logs-'));
  const log = openLog(folder, 'trainer');
  try {
    for (let turn = 1; turn <= 5; turn += 1) {
      writeSync(log, `turn ${turn}\n`);
      rotateLogs(folder, 4);
    }
    writeSync(log, 'now\n');
    rotateLogs(folder, 4);
    const content = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
    expect(content).toEqual({
      'trainer.log': 'now\n',
      'trainer.log.1': 'turn 5\n',
      'trainer.log.2': 'turn 4\n',
      'trainer.log.3': 'turn 3\n',
    });
  } finally {
    closeSync(log);
    rmSync(folder, { recursive: true });
  }
});
