import { expect, test } from '@jest/globals';
import { csvRows } from '../src/corpus/csv.js';
import { groupedByLength } from '../src/corpus/order.js';
import { readSources, SOURCES } from '../src/corpus/sources.js';

test('CSV: quoted commas, doubled quotes, line breaks and CRLF', () => {
  const text = 'text,category\r\nplain,a\r\n"with, comma",b\n"two\nlines ""quoted""",c\n';
  expect(csvRows(text)).toEqual([
    ['plain', 'a'],
    ['with, comma', 'b'],
    ['two\nlines "quoted"', 'c'],
  ]);
});

test('CSV: a stray quote is an error that names the record', () => {
  expect(() => csvRows('text,category\nfine,a\nstr"ay,b\n')).toThrow('record 3');
});

test('without its files the recipe says which are needed and where', async () => {
  const failure = readSources('/nowhere');
  await expect(failure).rejects.toThrow('TUNEFLEET_SHARED (/nowhere)');
  for (const { file } of SOURCES) await expect(failure).rejects.toThrow(`data/${file}`);
});

test('the order depends on the seed alone, keeps every example and packs like lengths together', () => {
  const examples = Array.from({ length: 103 }, (_, index) => {
    const length = 2 + ((index * 37) % 90);
    return { ids: new Int32Array(length).fill(index), weights: new Float32Array(length) };
  });
  const order = groupedByLength(examples, 8, 5);
  expect(groupedByLength(examples, 8, 5)).toEqual(order);
  expect(groupedByLength(examples, 8, 6)).not.toEqual(order);
  expect(order.map(({ ids }) => ids[0]!).sort((a, b) => a - b)).toEqual(examples.map((_, index) => index));
  for (let start = 0; start + 8 <= order.length; start += 8) {
    const lengths = order.slice(start, start + 8).map(({ ids }) => ids.length);
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThan(12);
  }
});
