import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { train } from '../src/loop/train.js';
import { expected, type ModelName, recording, relative, rowsOf, specOf } from './fixture.js';

jest.setTimeout(60_000);

/** PyTorch's and PEFT's losses (fixtures/sixty_steps.py). */
const peers = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/sixty-steps.json'), 'utf8')) as { rate: number } & Record<
  ModelName,
  Record<'full' | 'lora', number[]>
>;

async function losses(name: ModelName, adapter: 'full' | 'lora', micro_batch_size: number): Promise<number[]> {
  const hooks = recording();
  const spec = await specOf(name, adapter, { micro_batch_size, epochs: 10, max_steps: 60 });
  spec.optimizer.learning_rate = peers.rate;
  await train(spec, rowsOf(expected.rows), null, null, hooks);
  return hooks.rows.map(({ train_loss }) => train_loss);
}

const furthest = (found: readonly number[], wanted: readonly number[]): number => {
  expect(found).toHaveLength(wanted.length);
  return Math.max(...found.map((loss, step) => relative(loss, wanted[step]!)));
};

test.each<[ModelName, 'full' | 'lora']>([
  ['tiny-llama', 'full'],
  ['tiny-llama', 'lora'],
  ['tiny-tied', 'full'],
  ['tiny-tied', 'lora'],
])('60 steps of %s, %s: each loss within 1e-4 of PyTorch and PEFT', async (name, adapter) => {
  expect(furthest(await losses(name, adapter, 8), peers[name][adapter])).toBeLessThan(1e-4);
});

test.each(['full', 'lora'] as const)(
  '60 steps of tiny-llama, %s: micro-batch x accumulation 8x1, 4x2 and 2x4 give one curve',
  async (adapter) => {
    const [whole, ...parts] = [
      await losses('tiny-llama', adapter, 8),
      await losses('tiny-llama', adapter, 4),
      await losses('tiny-llama', adapter, 2),
    ];
    for (const part of parts) expect(furthest(part, whole!)).toBeLessThan(1e-5);
  },
);
