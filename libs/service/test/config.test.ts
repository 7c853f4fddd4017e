import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Type } from 'typebox';
import { BaseConfig, readConfig } from '../src/config.js';

const env = { NATS_URL: 'nats://127.0.0.1:4222', TUNEFLEET_IDENTITY_KEY: 'k'.repeat(32) };

test('defaults are filled in, text becomes numbers', () => {
  expect(readConfig(BaseConfig, env)).toEqual({ PORT: 0, HOST: '127.0.0.1', LOG_LEVEL: 'info', ...env });
  expect(readConfig(BaseConfig, { ...env, PORT: '8080', NATS_CREDS: '' })).toMatchObject({ PORT: 8080 });
});

test('every faulty variable is named with what was expected, and no value is repeated', () => {
  const schema = Type.Object({ ...BaseConfig.properties, EXTRA: Type.String() });
  const read = () => readConfig(schema, { PORT: 'http', NATS_URL: 'x', TUNEFLEET_IDENTITY_KEY: 'short-secret' });
  expect(read).toThrow(/PORT: expected an integer; .*TUNEFLEET_IDENTITY_KEY: expected at least 32 character\(s\); EXTRA is required/);
  expect(read).not.toThrow(/short-secret/);
  expect(() => readConfig(BaseConfig, { ...env, LOG_LEVEL: 'loud' })).toThrow(/LOG_LEVEL: expected one of "fatal"/);
});

test('NAME_FILE is read in its place, less the last line end; both are an error', () => {
  const folder = mkdtempSync(join(tmpdir(), 'config-'));
  try {
    const file = join(folder, 'key');
    writeFileSync(file, `${'s'.repeat(40)}\n`);
    const { TUNEFLEET_IDENTITY_KEY: _, ...rest } = env;
    expect(readConfig(BaseConfig, { ...rest, TUNEFLEET_IDENTITY_KEY_FILE: file }).TUNEFLEET_IDENTITY_KEY).toBe('s'.repeat(40));
    expect(() => readConfig(BaseConfig, { ...env, TUNEFLEET_IDENTITY_KEY_FILE: file })).toThrow('both set');
    expect(() => readConfig(BaseConfig, { ...rest, TUNEFLEET_IDENTITY_KEY_FILE: join(folder, 'none') })).toThrow('ENOENT');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
