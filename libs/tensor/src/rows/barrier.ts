// How threads wait for each other: by looking at a word for a while, then asleep.

/** Words that belong to this file, each on a cache line of its own. */
const [COME, PASSED, GATE, ASLEEP] = [0, 16, 32, 48];
/** Bytes of memory that they lie in. */
export const BARRIER_BYTES = 256;

const waitWhile = (words: Int32Array, word: number, value: number, looks: number, meanwhile: () => void): void => {
  for (let look = 0; look < looks; look++) {
    if (Atomics.load(words, word) !== value) return;
    meanwhile();
  }
  Atomics.add(words, ASLEEP, 1);
  while (Atomics.load(words, word) === value) Atomics.wait(words, word, value);
  Atomics.sub(words, ASLEEP, 1);
};

const next = (words: Int32Array, word: number): void => {
  Atomics.add(words, word, 1);
  if (Atomics.load(words, ASLEEP) > 0) Atomics.notify(words, word);
};

const nothing = (): void => undefined;

/**
 * Returns once all of `threads` threads have called it; what they wrote before is then seen by each. `looks`: before a thread sleeps;
 * `meanwhile`: done after each.
 */
export const meet = (words: Int32Array, threads: number, looks: number, meanwhile = nothing): void => {
  if (threads === 1) return;
  const passed = Atomics.load(words, PASSED);
  if (Atomics.add(words, COME, 1) === threads - 1) {
    Atomics.store(words, COME, 0);
    next(words, PASSED);
  } else waitWhile(words, PASSED, passed, looks, meanwhile);
};

/** Lets those through that wait at the gate. */
export const openGate = (words: Int32Array): void => next(words, GATE);

/** Sleeps until the gate was opened more than `opened` times; how often it was. */
export const passGate = (words: Int32Array, opened: number): number => {
  waitWhile(words, GATE, opened, 0, nothing);
  return Atomics.load(words, GATE);
};
