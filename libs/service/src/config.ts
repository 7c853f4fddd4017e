import { readFileSync } from 'node:fs';
import { type Static, type TObject, Type } from 'typebox';
import { checkSchema } from './schema/check.js';
import { convertText } from './schema/convert.js';

/** What every service reads from its environment; spread its `properties` into the service's own schema. */
export const BaseConfig = Type.Object({
  /** 0 lets the system choose. */
  PORT: Type.Integer({ minimum: 0, maximum: 65535, default: 0 }),
  HOST: Type.String({ default: '127.0.0.1' }),
  LOG_LEVEL: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info' }),
  NATS_URL: Type.String({ minLength: 1 }),
  /** `user:password`. */
  NATS_CREDS: Type.Optional(Type.String()),
  TUNEFLEET_IDENTITY_KEY: Type.String({ minLength: 32 }),
  /** Name that the process started in place of this one has too, and no other at the same time: its work is then taken back at once. */
  TUNEFLEET_INSTANCE: Type.Optional(Type.String({ pattern: '^[-\\w.]{1,128}$' })),
});
export type BaseConfig = Static<typeof BaseConfig>;

/** The text of variable NAME, or of the file that NAME_FILE names (less its last line end). An empty variable counts as absent. */
function textOf(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const file = env[`${name}_FILE`];
  if (!file) return env[name] || undefined;
  if (env[name]) throw new Error(`${name} and ${name}_FILE are both set; set one`);
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '') || undefined;
  } catch (cause) {
    throw new Error(`${name}_FILE: the file it names cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}

/**
 * The configuration in `env`, checked once at boot. Throws one error that names every faulty variable and what was expected of it; values
 * are never repeated in it, they may be secrets.
 */
export function readConfig<T extends TObject>(schema: T, env: NodeJS.ProcessEnv = process.env): Static<T> {
  const faults: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(schema.properties)) {
    try {
      const text = textOf(name, env);
      const value = text === undefined ? (part as { default?: unknown }).default : convertText(part, text);
      if (value !== undefined) config[name] = value;
      else if (schema.required?.includes(name)) faults.push(`${name} is required (or ${name}_FILE)`);
      const fault = value === undefined ? null : checkSchema(part, value);
      if (fault) faults.push(`${name}: expected ${fault.expected}`);
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  if (faults.length > 0) throw new Error(`configuration: ${faults.join('; ')}`);
  return config as Static<T>;
}
