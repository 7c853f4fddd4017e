// Where tests and benchmarks find the real models that set-up fetched. Types: model-packages.d.mts.
import { existsSync } from 'node:fs';
import { readTools } from './setup/cache.mjs';

export const modelPackage = (name) => {
  const found = readTools().models?.[name];
  if (found?.path && existsSync(found.path)) return { path: found.path, missing: '' };
  return { path: undefined, missing: `models: ${found?.reason ?? `${name} was not looked for; run \`node tools/setup.mjs --models\``}` };
};
