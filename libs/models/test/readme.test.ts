import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { runReadme } from '../../../tools/jest/readme.js';

test('the program in the README prints a model before and after each pass', async () => {
  const base = join(import.meta.dirname, 'fixtures/tiny-llama');
  const { printed } = await runReadme(join(import.meta.dirname, '..'), 'Print the graph of a model', [base]);
  expect(printed.startsWith('== building\n')).toBe(true);
  for (const layer of [0, 1]) expect(printed).toContain(`# layers.${layer}/attention`);
  expect(printed).toMatch(/return logits = %\d+\n\n?== /);
});
