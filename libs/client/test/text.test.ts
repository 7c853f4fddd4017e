import { expect, test } from '@jest/globals';
import { Display, progressLine } from '../src/cli/progress-line.js';
import { bytes, duration, fields, printable, table, time } from '../src/cli/text.js';

test.each([
  [0, '0s'],
  [59.6, '1m 0s'],
  [75, '1m 15s'],
  [3600, '1h 0m'],
  [-3, '0s'],
])('%d seconds are %s', (seconds, text) => expect(duration(seconds)).toBe(text));

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [512 * 1024 * 1024, '536.9 MB'],
])('%d bytes are %s', (count, text) => expect(bytes(count)).toBe(text));

test('times are UTC to the second', () => {
  expect(time(0)).toBe('1970-01-01T00:00:00Z');
  expect(time(null)).toBe('-');
});

test('a table is as wide as its cells, and says when it is empty', () => {
  expect(
    table(
      ['ID', 'MODEL'],
      [
        ['file-1', null],
        ['f', 'x'],
      ],
    ),
  ).toBe('ID      MODEL\nfile-1  -\nf       x');
  expect(table(['ID'], [])).toBe('(none)');
});

test('control characters of a filename reach no terminal', () => {
  expect(printable('a\u001b[31mb')).toBe('a\uFFFD[31mb');
  expect(fields({ name: 'x\u0007' })).toBe('name  x\uFFFD');
  expect(table(['N'], [['two\nlines']])).toBe('N\ntwo lines');
});

test('a progress line has bar, share, details and time left', () => {
  expect(progressLine({ done: 12, total: 48, left: 63, details: ['loss 1.2'] })).toBe(
    `[${'█'.repeat(6)}${'░'.repeat(18)}] 12/48 25.0 %  loss 1.2  1m 3s left`,
  );
  expect(progressLine({ done: 3, total: null, left: null, details: [] })).toBe('step 3');
  expect(progressLine({ done: 9, total: 8, left: null, details: [] })).toContain('100.0 %');
});

const stream = (isTTY: boolean): { written: string[]; stream: NodeJS.WriteStream } => {
  const written: string[] = [];
  return { written, stream: { isTTY, columns: 20, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream };
};

test('on a terminal a line is drawn over itself and cut to its width', () => {
  const { written, stream: to } = stream(true);
  const display = new Display(to);
  display.show('x'.repeat(40));
  display.show('y');
  display.end();
  expect(written).toEqual([`\r\u001b[2K${'x'.repeat(19)}`, '\r\u001b[2Ky', '\n']);
});

test('elsewhere there is a line now and then, and the last one always', () => {
  const { written, stream: to } = stream(false);
  const display = new Display(to);
  for (const line of ['1', '2', '3']) display.show(line);
  display.end();
  expect(written).toEqual(['1\n', '3\n']);
});
