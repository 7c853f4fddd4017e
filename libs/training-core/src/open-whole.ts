import { releaseAll } from '@tunefleet/tensor';

/**
 * Opens something that holds several others. `open` says of each, once it is there, how it is given back. Where it throws, all of them are,
 * the last first, and its error is told, not what goes wrong after.
 */
export async function openWhole<T>(open: (held: (release: () => unknown) => void) => Promise<T>): Promise<T> {
  const releases: (() => unknown)[] = [];
  try {
    return await open((release) => releases.push(release));
  } catch (error) {
    await releaseAll(releases.toReversed()).catch(() => undefined);
    throw error;
  }
}
