import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { type BasePrecision, openGenerator } from '@tunefleet/models';
import { writeMergedFolder } from '../../../libs/models/test/merged-folder.js';
import { throughInt4 } from '../src/domain/four-bit.js';

jest.setTimeout(60_000);

const FIXTURES = join(import.meta.dirname, '../../../libs/models/test/fixtures');
const BASE = join(FIXTURES, 'tiny-llama');
const ADAPTER = join(FIXTURES, 'adapters/patterns');

/** Log-probabilities of a greedy text and of what else was likely. */
async function logprobs(base: string, precision: BasePrecision, adapter: string | null): Promise<number[]> {
  const generator = await openGenerator({ base, precision });
  const found: number[] = [];
  const settings = { max_tokens: 12, temperature: 0, top_p: 1, seed: 0, stop_ids: [], top_logprobs: 20 };
  const generation = generator.generate({
    ids: [1, 5, 9],
    adapter,
    ...settings,
    onLogprobs: ({ top }) => found.push(...top.map(({ logprob }) => logprob)),
  });
  for await (const _id of generation);
  await generator.close();
  return found;
}

test('an adapter over a 4-bit base, merged, answers as it does over that base', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'tunefleet-merged-'));
  const folder = join(scratch, 'merged');
  await writeMergedFolder(BASE, ADAPTER, folder, throughInt4);
  const [wanted, merged, plain] = [
    await logprobs(BASE, 'int4', ADAPTER),
    await logprobs(folder, 'float32', null),
    await logprobs(BASE, 'float32', ADAPTER),
  ];
  const furthest = (found: readonly number[]): number => Math.max(...found.map((value, index) => Math.abs(value - wanted[index]!)));
  expect(merged).toHaveLength(240);
  expect(furthest(merged)).toBeLessThan(1e-4);
  expect(furthest(plain)).toBeGreaterThan(1e-2);
  await rm(scratch, { recursive: true });
});
