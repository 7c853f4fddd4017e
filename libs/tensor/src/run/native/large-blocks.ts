import { loadLibrary } from './foreign.js';

// malloc.h of glibc.
const TRIM_THRESHOLD = -1;
const MMAP_THRESHOLD = -3;

/** Bytes: the largest that glibc takes. */
const LARGEST = 32 << 20;

/**
 * Has glibc use blocks of up to 32 MiB again when they are freed, and not give their pages back to ask for others. It comes to these
 * limits by itself, step by step with what a process frees, or does not: some starts from kept graphs waited for 210,000 page faults more
 * than others while weights were packed, 0.4 of 2.4 s (docs/decisions/0014). What is freed stays with the process then, 5 MB more of 112
 * after 4,000 small steps. Other C libraries have no such call: nothing happens.
 */
export const reuseLargeBlocks = (): void => {
  if (process.platform !== 'linux') return;
  try {
    const mallopt = loadLibrary('libc.so.6').func('int mallopt(int, int)');
    mallopt(MMAP_THRESHOLD, LARGEST);
    mallopt(TRIM_THRESHOLD, 2 * LARGEST);
  } catch {
    // No glibc.
  }
};
