/** A share with its interval: the true one lies in [low, high] in 95 of 100 such measurements. */
export interface PassRate {
  rate: number;
  low: number;
  high: number;
  passed: number;
  total: number;
}

/** The standard normal's 97.5 % point. */
const Z_95 = 1.959963984540054;

/**
 * A pass rate with its Wilson score interval (Wilson 1927), which unlike the normal one stays within [0, 1] and is right for few rows too. Rows that
 * errored count as not passed. Without rows: a rate of 0 within [0, 1].
 */
export function passRate(passed: number, total: number, z = Z_95): PassRate {
  if (!Number.isInteger(passed) || !Number.isInteger(total) || passed < 0 || passed > total)
    throw new RangeError(`${passed} of ${total} is no count`);
  if (total === 0) return { rate: 0, low: 0, high: 1, passed, total };
  const rate = passed / total;
  const centre = (rate + z ** 2 / (2 * total)) / (1 + z ** 2 / total);
  const half = (z / (1 + z ** 2 / total)) * Math.sqrt((rate * (1 - rate)) / total + z ** 2 / (4 * total ** 2));
  // Rounding may leave 1e-17 where the interval ends at 0 or 1.
  const low = passed === 0 ? 0 : Math.max(0, centre - half);
  const high = passed === total ? 1 : Math.min(1, centre + half);
  return { rate, low, high, passed, total };
}
