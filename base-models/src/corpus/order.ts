import { type Example, randomStream } from '@tunefleet/models';

/**
 * The order of training: shuffled, but with examples of like length side by side in groups of `size`, since what is packed together is padded to
 * its longest for attention. The groups are shuffled; a last one that is not full ends the order.
 */
export function groupedByLength(examples: readonly Example[], size: number, seed: number): Example[] {
  const order = shuffled(examples, seed, 0).sort((a, b) => a.ids.length - b.ids.length);
  const groups: Example[][] = [];
  for (let start = 0; start < order.length; start += size) groups.push(order.slice(start, start + size));
  const rest = groups.at(-1)!.length < size ? groups.pop()! : [];
  return [...shuffled(groups, seed, 1), rest].flat();
}

/** Fisher-Yates, by seed and `stream` alone. */
function shuffled<T>(items: readonly T[], seed: number, stream: number): T[] {
  const result = [...items];
  const random = randomStream(seed, 'shuffle', stream);
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
