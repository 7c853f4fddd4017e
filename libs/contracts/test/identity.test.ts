import { expect, test } from '@jest/globals';
import { signIdentity, verifyIdentity } from '../src/identity.js';
import { deriveId, mintId } from '../src/ids.js';

const key = 'k'.repeat(32);
const identity = { project: 'default', keyId: 'key_1', scope: 'write' } as const;

test('a signed identity is accepted for 60 s and by the same key alone', () => {
  const header = signIdentity(identity, key, 1_000);
  expect(verifyIdentity(header, key, 60_999)).toEqual(identity);
  expect(verifyIdentity(header, key, 61_000)).toBeNull();
  expect(verifyIdentity(header, 'x'.repeat(32), 2_000)).toBeNull();
  expect(verifyIdentity(`e30.${header.split('.')[1]}`, key, 2_000)).toBeNull();
  expect(verifyIdentity(undefined, key)).toBeNull();
});

test('ids are 24 characters after their prefix; derived ones repeat', () => {
  const ids = Array.from({ length: 100 }, () => mintId('job'));
  expect(ids.toSorted()).toEqual(ids);
  expect(mintId('job')).toMatch(/^ftjob-[0-9A-Za-z]{24}$/);
  expect(deriveId('event', 'a', 'b')).toBe(deriveId('event', 'a', 'b'));
  expect(deriveId('event', 'a', 'b')).not.toBe(deriveId('event', 'ab', ''));
});
