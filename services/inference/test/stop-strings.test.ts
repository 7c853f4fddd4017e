import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { StopStrings } from '../src/domain/stop-strings.js';

/** What the pieces must give however the text is cut. */
function reference(text: string, stops: string[]): string {
  const found = stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
  return found.length > 0 ? text.slice(0, Math.min(...found)) : text;
}

describe('stop strings', () => {
  test('nothing of a stop string is shown, and all before it is, whatever the pieces', async () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });
    await fc.assert(
      fc.property(
        fc.array(letters, { maxLength: 8 }),
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), { maxLength: 3 }),
        (pieces, stops) => {
          const cut = new StopStrings(stops);
          let shown = '';
          let whole = '';
          for (const piece of pieces) {
            if (cut.stopped) break;
            whole += piece;
            shown += cut.push(piece);
          }
          shown += cut.end();
          // a stop string that began earlier may end later than one that is whole already: the first whole one stops
          expect(reference(whole, stops).startsWith(shown) || shown === reference(whole, stops)).toBe(true);
          if (!cut.stopped) expect(shown).toBe(whole);
        },
      ),
    );
  });

  test('text is shown as soon as it cannot begin a stop string', () => {
    const cut = new StopStrings(['END']);
    expect([cut.push('abc'), cut.push('E'), cut.push('N'), cut.push('x'), cut.push('END tail'), cut.stopped]).toEqual([
      'abc',
      '',
      '',
      'ENx',
      '',
      true,
    ]);
  });
});
