import { existsSync } from 'node:fs';

// Unit tests are *.test.ts beside a package's src; *.integration.test.ts start real servers and run one after another;
// *.webgpu.test.ts need an adapter. A test file never depends on another.
const common = {
  testEnvironment: '<rootDir>/tools/jest/environment.mjs',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/package.json'],
};

// Folders that appear as the parts do: jest refuses a root that is not there.
const packages = ['libs', 'services', 'deploy', 'bench', 'base-models', 'tools', 'k8s', 'docker', 'quickstart']
  .filter((folder) => existsSync(new URL(folder, import.meta.url)))
  .map((folder) => `<rootDir>/${folder}`);

// The acceptance suite's own set-up starts one fleet for all its files.
const harness = existsSync(new URL('acceptance/harness/global-setup.mjs', import.meta.url))
  ? { globalSetup: '<rootDir>/acceptance/harness/global-setup.mjs', globalTeardown: '<rootDir>/acceptance/harness/global-teardown.mjs' }
  : {};

// jest heeds testTimeout only for all projects together; tools/jest/environment.mjs reads `milliseconds` for each.
export default {
  projects: [
    {
      ...common,
      roots: packages,
      displayName: 'unit',
      testMatch: ['**/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.(integration|webgpu)\\.test\\.ts$'],
      testEnvironmentOptions: { milliseconds: 30_000 },
    },
    {
      ...common,
      roots: packages,
      displayName: 'integration',
      testMatch: ['**/test/**/*.integration.test.ts'],
      testEnvironmentOptions: { milliseconds: 120_000 },
    },
    {
      ...common,
      roots: packages,
      displayName: 'webgpu',
      testMatch: ['**/test/**/*.webgpu.test.ts'],
      // At the lowest priority a test of 20 s may take minutes; one that ran out of time would go on beside the next.
      testEnvironmentOptions: { milliseconds: 600_000 },
    },
    {
      ...common,
      ...harness,
      roots: ['<rootDir>/acceptance/tests'],
      displayName: 'acceptance',
      testMatch: ['**/*.test.ts'],
      testEnvironmentOptions: { milliseconds: 180_000 },
    },
    {
      // Each file starts a fleet of its own and kills it, part by part.
      ...common,
      roots: ['<rootDir>/acceptance/kill'],
      displayName: 'kill',
      testMatch: ['**/*.test.ts'],
      testEnvironmentOptions: { milliseconds: 180_000 },
    },
  ],
};
