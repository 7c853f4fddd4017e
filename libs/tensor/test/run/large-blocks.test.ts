import { expect } from '@jest/globals';
import type { LibraryHandle } from 'koffi';
import { skipUnless } from '../../../../tools/jest/skip-unless.js';
import { loadLibrary } from '../../src/run/native/foreign.js';
import { reuseLargeBlocks } from '../../src/run/native/large-blocks.js';

const BLOCK = 4 << 20;
const BLOCKS = 8;
const PAGE = 4096;

/** Page faults of taking blocks, writing them and freeing them all. */
const faultsOfUse = (library: LibraryHandle): number => {
  const malloc = library.func('uintptr_t malloc(size_t)');
  const free = library.func('void free(uintptr_t)');
  const memset = library.func('uintptr_t memset(uintptr_t, int, size_t)');
  const before = process.resourceUsage().minorPageFault;
  const taken = Array.from({ length: BLOCKS }, () => malloc(BLOCK) as number);
  for (const block of taken) memset(block, 1, BLOCK);
  for (const block of taken) free(block);
  return process.resourceUsage().minorPageFault - before;
};

skipUnless(process.platform === 'linux', 'glibc: not on this system')('a freed block of some MB is used again', () => {
  const library = loadLibrary('libc.so.6');
  reuseLargeBlocks();
  faultsOfUse(library);
  // Given back and asked for anew, each page of each block is a fault, 8,192 of 4 kB; some are V8's.
  expect(faultsOfUse(library)).toBeLessThan((BLOCK / PAGE) * (BLOCKS / 4));
});
