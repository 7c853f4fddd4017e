// Unit tests are *.test.ts beside a package's src; *.integration.test.ts start real servers and run one after another.
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
  roots: [
    '<rootDir>/libs',
    '<rootDir>/services',
    '<rootDir>/deploy',
    '<rootDir>/bench',
    '<rootDir>/base-models',
    '<rootDir>/tools',
    '<rootDir>/k8s',
    '<rootDir>/docker',
  ],
};

export default {
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['**/test/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.integration\\.test\\.ts$'],
    },
    { ...common, displayName: 'integration', testMatch: ['**/test/**/*.integration.test.ts'] },
    { ...common, displayName: 'acceptance', roots: ['<rootDir>/acceptance'], testMatch: ['**/*.test.ts'] },
  ],
};
