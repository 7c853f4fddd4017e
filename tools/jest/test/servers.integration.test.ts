import { expect, test } from '@jest/globals';
import { connect } from 'nats';
import { NATS_MISSING, natsServerPath, s3Missing, startNatsServer, startS3Server } from '../servers.js';
import { skipUnless } from '../skip-unless.js';

skipUnless(natsServerPath() !== undefined, NATS_MISSING)(
  'what nats-server acknowledged is still there after kill -9 and a start',
  async () => {
    const server = await startNatsServer();
    try {
      const before = await connect({ servers: server.url });
      const kv = await before.jetstream().views.kv('records');
      const revision = await kv.create('a', 'one');
      await server.kill();
      expect(server.pid).toBeUndefined();
      await before.close();
      await server.start();
      const after = await connect({ servers: server.url });
      const entry = await (await after.jetstream().views.kv('records')).get('a');
      expect([entry?.revision, entry?.string()]).toEqual([revision, 'one']);
      await after.close();
    } finally {
      await server.close();
    }
  },
);

const missing = s3Missing();
skipUnless(missing === undefined, missing ?? '')('the S3 server answers, and again after kill -9 and a start', async () => {
  const server = await startS3Server();
  try {
    // Without a signature: that it refuses by S3's own error is the answer wanted.
    const status = async (): Promise<number> => {
      const response = await fetch(`${server.endpoint}/${server.bucket}/nothing`, { headers: { connection: 'close' } });
      await response.text();
      return response.status;
    };
    expect(await status()).toBe(403);
    if (server.restartable) {
      await server.kill();
      await expect(status()).rejects.toThrow();
      await server.start();
      expect(await status()).toBe(403);
    }
  } finally {
    await server.close();
  }
});

test('a test that cannot run is not run, and is as callable as one that is', () => {
  const skip = skipUnless(false, 'S3: no server');
  expect(skip).not.toBe(test);
  expect(typeof skip.each).toBe('function');
});
