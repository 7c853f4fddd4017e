import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

// Processes start slowly where several suites share a machine.
jest.setTimeout(60_000);

import { expect, jest, test } from '@jest/globals';

const script = `
import { createLogger } from ${JSON.stringify(fileURLToPath(new URL('../dist/logger.js', import.meta.url)))};
const logger = createLogger('test', 'info');
logger.info({ headers: { authorization: 'Bearer abcdefgh', 'x-tunefleet-identity': 'e30.c2ln' }, config: { password: 'hunter22' } }, 'request');
logger.warn({ url: 'http://127.0.0.1:1/objects/default/files/a?method=GET&expires=1&signature=SIGNED&x=1' }, 'x');
logger.error({ err: new Error('GET https://s3/b/k?X-Amz-Signature=AMZSIG&X-Amz-Credential=AMZCRED failed with tf-abcdefgh0123456789-zzz for nats://user:natspass@host') }, 'y');
logger.info({ request_id: 'req_1', job: 'ftjob-1' }, 'kept');
`;

test('no secret reaches the log: headers, configuration, signed URLs, keys in texts, credentials in addresses', () => {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toHaveLength(4);
  for (const secret of ['abcdefgh', 'c2ln', 'hunter22', 'SIGNED', 'AMZSIG', 'AMZCRED', 'natspass']) expect(stdout).not.toContain(secret);
  expect(lines[1]!['url']).toContain('/objects/default/files/a?method=GET&expires=1&signature=[redacted]&x=1');
  expect(lines[3]).toMatchObject({ level: 'info', name: 'test', request_id: 'req_1', job: 'ftjob-1', msg: 'kept' });
});
