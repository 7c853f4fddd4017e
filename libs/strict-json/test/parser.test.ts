import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { JsonError, locateInJson, parseStrictJson } from '../src/parser.js';

const parse = (text: string) => parseStrictJson(text, { maxDepth: 64 });

const failure = (text: string): JsonError => {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof JsonError) return error;
    throw error;
  }
  throw new Error('parsed');
};

test('agrees with JSON.parse on everything JSON.stringify can write', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      expect(parse(text)).toEqual(JSON.parse(text));
    }),
  );
});

test('refuses what JSON.parse refuses, whatever the text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]",:\\u0123e-+.tfn \n') })), (text) => {
      let accepted = true;
      try {
        JSON.parse(text);
      } catch {
        accepted = false;
      }
      if (!accepted) expect(failure(text)).toBeInstanceOf(JsonError);
    }),
    { numRuns: 2000 },
  );
});

describe.each([
  ['a key twice', '{"a":1,"a":2}', 'duplicate_key', 7],
  ['a key twice, once escaped', '{"a":1,"\\u0061":2}', 'duplicate_key', 7],
  ['half a surrogate pair', '["\\ud83d"]', 'lone_surrogate', 1],
  ['one level too deep', '['.repeat(65) + ']'.repeat(65), 'too_deep', 64],
  ['a hundred thousand levels', '['.repeat(100_000), 'too_deep', 64],
  ['a trailing comma', '[1,]', 'syntax', 3],
  ['a single quote', "{'a':1}", 'syntax', 1],
  ['an open string', '{"a":"b', 'syntax', 5],
  ['a raw newline in a string', '["a\nb"]', 'syntax', 3],
  ['a leading zero', '[01]', 'syntax', 2],
  ['NaN', '[NaN]', 'syntax', 1],
  ['two documents', '{} {}', 'syntax', 3],
  ['nothing', '', 'syntax', 0],
])('%s', (_name, text, code, offset) => {
  test(`is ${code} at ${offset}`, () => {
    expect(failure(text)).toMatchObject({ code, offset });
  });
});

test('__proto__ is an own key and leaves the prototype alone', () => {
  const value = parse('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
  expect(Object.keys(value)).toEqual(['__proto__']);
  expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  expect(value['polluted']).toBeUndefined();
});

test('sixty-four levels are allowed', () => {
  expect(() => parse('['.repeat(64) + ']'.repeat(64))).not.toThrow();
});

test('a value is located by its path, an absent key by its object', () => {
  const text = '{"a": [1, {"b": "x"}], "c": 2}';
  const at = (...path: (string | number)[]) => locateInJson(text, path, { maxDepth: 64 });
  expect(text.slice(at('a', 1, 'b'), at('a', 1, 'b') + 3)).toBe('"x"');
  expect(at('c')).toBe(text.indexOf('2'));
  expect(at('a', 1, 'absent')).toBe(text.indexOf('{"b"'));
  expect(at()).toBe(0);
});
