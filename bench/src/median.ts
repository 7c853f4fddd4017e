/** The middle one by `value`, of an even number the upper; throws where there is none. */
export function medianBy<T>(items: readonly T[], value: (item: T) => number): T {
  if (items.length === 0) throw new Error('no measurements to take the median of');
  return items.toSorted((a, b) => value(a) - value(b))[Math.floor(items.length / 2)]!;
}

/** The median of numbers, as {@link medianBy}. */
export const median = (numbers: readonly number[]): number => medianBy(numbers, (number) => number);
