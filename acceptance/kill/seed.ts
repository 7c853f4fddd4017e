/** Decides where kills fall. Printed with each run; TUNEFLEET_KILL_SEED repeats one. */
export const SEED = Number(process.env['TUNEFLEET_KILL_SEED'] ?? Date.now() % 1_000_000);

/** Whole numbers from `from` to `to`, drawn from the seed and a name: adding a test moves no other's kills (mulberry32). */
export function draws(name: string): (from: number, to: number) => number {
  let state = SEED;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 0x01000193);
  return (from, to) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(from + (((mixed ^ (mixed >>> 14)) >>> 0) % (to - from + 1)));
  };
}
