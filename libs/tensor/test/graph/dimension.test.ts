import { expect, test } from '@jest/globals';
import {
  addDimensions,
  canonical,
  divideDimensions,
  elementCount,
  multiplyDimensions,
  resolveDimension,
  subtractDimensions,
} from '../../src/graph/dimension.js';

test.each([
  [canonical('tokens + past'), 'past+tokens'],
  [canonical('b*a+2-b*a'), 2],
  [canonical('n*2*n'), '2*n*n'],
  [addDimensions('n', 'n'), '2*n'],
  [addDimensions('past', 'tokens'), addDimensions('tokens', 'past')],
  [subtractDimensions('past+tokens', 'past'), 'tokens'],
  [subtractDimensions('n', 1), 'n-1'],
  [subtractDimensions(1, 'n'), '-n+1'],
  [multiplyDimensions('n', 0), 0],
  [multiplyDimensions('past+tokens', 3), '3*past+3*tokens'],
  [divideDimensions('12*n', 4), '3*n'],
  [divideDimensions('12*n', 5), null],
  [divideDimensions('a*b+2*b', 'b'), 'a+2'],
  [divideDimensions('a+b', 'a+b'), 1],
  [divideDimensions(7, 0), null],
  [elementCount(['n', 2, 'n']), '2*n*n'],
  [
    resolveDimension(
      '2*past+tokens-1',
      new Map([
        ['past', 3],
        ['tokens', 5],
      ]),
    ),
    10,
  ],
])('%s is %s', (found, expected) => {
  expect(found).toBe(expected);
});

test('a name without a value and a spelling that is no polynomial are named in the error', () => {
  expect(() => resolveDimension('tokens', new Map())).toThrow('"tokens" has no value');
  expect(() => canonical('n/2')).toThrow('"n/2"');
  expect(() => canonical(1.5)).toThrow('1.5');
});
