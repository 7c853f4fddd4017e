import { test } from '@jest/globals';

/**
 * `test` where a prerequisite is met; else a test that is skipped and says why. The only way to skip.
 * The reason begins with what is missing (`nats-server: ...`, `S3: ...`, `TUNEFLEET_SHARED: ...`); it stands in the test's name,
 * so that every report shows it.
 */
export const skipUnless = (condition: boolean, reason: string): typeof test | typeof test.skip => {
  if (condition) return test;
  const skip = test.skip;
  const named = (name: Parameters<typeof test.skip>[0], ...rest: unknown[]) =>
    Reflect.apply(skip, undefined, [`${String(name)} [skipped: ${reason}]`, ...rest]);
  return Object.assign(named, skip) as typeof test.skip;
};
