import { expect, test } from '@jest/globals';
import { isPublicAddress, publicLookup } from '../src/domain/imports/public-address.js';

test.each([
  ['127.0.0.1', false],
  ['0.0.0.0', false],
  ['10.1.2.3', false],
  ['172.31.255.255', false],
  ['172.32.0.1', true],
  ['192.168.0.1', false],
  ['169.254.169.254', false],
  ['100.100.100.200', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['8.8.8.8', true],
  ['::1', false],
  ['::', false],
  ['::ffff:127.0.0.1', false],
  ['::ffff:8.8.8.8', false],
  ['64:ff9b::7f00:1', false],
  ['fe80::1', false],
  ['fd00::1', false],
  ['2002:7f00:1::', false],
  ['2600:9000::1', true],
])('%s is public: %s', (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected);
});

test('a name of this machine is not resolved for an import', async () => {
  const outcome = await new Promise((resolve) => publicLookup('localhost', {}, (error, address) => resolve(error?.code ?? address)));
  expect(outcome).toBe('EACCES');
});
