import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { transform } from '@swc/core';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { repository } from '../../../tools/jest/tools.js';
import { codeBlock, document, documentedRoutes, propertyPaths, undocumented } from './documents.js';
import { fleetMissing, startFleet, type TestFleet } from './fleet.js';

const missing = fleetMissing();
const test = skipUnless(missing === undefined, missing ?? '');

interface Operation {
  parameters?: { in: string; name: string }[];
  requestBody?: { content: Record<string, { schema: object }> };
}

let fleet: TestFleet;

beforeAll(async () => {
  if (missing === undefined) fleet = await startFleet();
}, 60_000);

afterAll(async () => {
  if (missing === undefined) await fleet.stop();
}, 60_000);

test('every route of the fleet, with every field of its body and query, stands in docs/api, and no other', async () => {
  const { paths } = (await (await fetch(`${fleet.url}/openapi.json`)).json()) as { paths: Record<string, Record<string, Operation>> };
  const documented = documentedRoutes();
  const faults: string[] = [];
  const served = new Set<string>();
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const route = `${method.toUpperCase()} ${path}`;
      served.add(route);
      const fields = documented.get(route);
      if (!fields) {
        faults.push(`${route} is not documented`);
        continue;
      }
      const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query').map(({ name }) => name);
      const schema = operation.requestBody?.content['application/json']?.schema;
      const known = [...query, ...(schema ? propertyPaths(schema) : [])];
      faults.push(...undocumented(known, fields).map((field) => `${route}: ${field} is not documented`));
      const form = route === 'POST /v1/files';
      const stale = fields.filter((field) => !form && !field.endsWith('.*') && !known.includes(field));
      faults.push(...stale.map((field) => `${route}: ${field} is documented and unknown`));
    }
  }
  faults.push(...[...documented.keys()].filter((route) => !served.has(route)).map((route) => `${route} is documented and not served`));
  expect(faults).toEqual([]);
});

test("the README's TypeScript runs as it stands", async () => {
  const { code } = await transform(codeBlock(document('README.md'), 'ts'), { jsc: { target: 'es2022', parser: { syntax: 'typescript' } } });
  // Node resolves imports of --eval from the folder it runs in: `openai` is the repository's.
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: repository,
    env: { ...process.env, NODE_OPTIONS: '', OPENAI_BASE_URL: `${fleet.url}/v1`, OPENAI_API_KEY: fleet.key },
  });
  // what it answers is sampled
  expect(stdout).toMatch(/^ft:tunefleet-base:default::\S+ ->/);
});
