import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { openLlamaFolder, readLoraFolder } from '@tunefleet/model-formats';
import { mergeAdapter } from '../src/merge-adapter.js';

const fixture = (name: string) => new URL(`../../models/test/fixtures/${name}`, import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'tunefleet-merge-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('each adapted weight is W + scaling B A, every other is as it was', async () => {
  await mergeAdapter(fixture('tiny-llama'), fixture('adapters/patterns'), join(folder, 'merged'));
  const [before, after] = await Promise.all([openLlamaFolder(fixture('tiny-llama')), openLlamaFolder(join(folder, 'merged'))]);
  const { pairs } = await readLoraFolder(fixture('adapters/patterns'));
  expect(pairs.size).toBeGreaterThan(0);
  for (const name of after.weights.names) {
    const [old, merged] = await Promise.all([before.weights.float32(name), after.weights.float32(name)]);
    const pair = pairs.get(name.replace(/\.weight$/, ''));
    const expected = old.map((value, at) => {
      if (!pair) return value;
      const { a, b, inputs, rank, scaling } = pair;
      const [row, column] = [Math.floor(at / inputs), at % inputs];
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += scaling * b[row * rank + k]! * a[k * inputs + column]!;
      return value + sum;
    });
    expect([name, merged]).toEqual([name, expected]);
    if (pair) expect(merged).not.toEqual(old);
  }
  await Promise.all([before.weights.close(), after.weights.close()]);
});
