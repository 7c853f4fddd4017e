import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { lossCsv, lossSvg } from '../src/curve.js';

const committed = (name: string): Promise<string> => readFile(new URL(`../tunefleet-base/${name}`, import.meta.url), 'utf8');

test('loss.svg is drawn from loss.csv', async () => {
  const csv = await committed('loss.csv');
  const rows = csv
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').map(Number) as [number, number, number, number])
    .map(([step, train_loss, learning_rate, tokens]) => ({ step, train_loss, learning_rate, tokens, train_accuracy: 0 }));
  expect(lossCsv(rows)).toBe(csv);
  expect(lossSvg(rows)).toBe(await committed('loss.svg'));
});
