import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { train } from '../src/loop/train.js';
import { expected, folderOf, recording, relative, rowsOf, specOf, workFolder } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

/** What PyTorch and PEFT said over the base that gguf rounded to 4 bits (fixtures/make_int4_curve.py). */
const curve = JSON.parse(readFileSync(join(import.meta.dirname, 'fixtures/int4-curve.json'), 'utf8')) as number[];

test('60 steps of LoRA over a 4-bit base follow PyTorch and PEFT over its dequantized weights', async () => {
  const changes = { base_precision: 'int4', epochs: 10, max_steps: curve.length } as const;
  const hooks = recording();
  await train(await specOf('tiny-llama', 'lora', changes), rowsOf(expected.rows), null, null, hooks);
  const errors = hooks.rows.map(({ train_loss }, step) => relative(train_loss, curve[step]!));
  expect(errors).toHaveLength(60);
  expect(Math.max(...errors)).toBeLessThan(1e-3);
  // Not the curve of the float32 base.
  const plain = recording();
  await train(
    await specOf('tiny-llama', 'lora', { ...changes, base_precision: 'float32', max_steps: 1 }),
    rowsOf(expected.rows),
    null,
    null,
    plain,
  );
  expect(relative(plain.rows[0]!.train_loss, curve[0]!)).toBeGreaterThan(1e-3);
});

test('a stopped run goes on over the same 4-bit base to the same bytes; over another precision it is refused', async () => {
  const folder = await workFolder();
  const spec = await specOf('tiny-llama', 'lora', { base_precision: 'int4', max_steps: 6 });
  const whole = recording();
  const { folder: result } = await train(spec, rowsOf(expected.rows), null, null, whole);
  const begun = recording({ shouldStop: () => (begun.rows.length === 3 ? 'pause' : 'continue') });
  const paused = await train({ ...spec, folder }, rowsOf(expected.rows), null, null, begun);
  const rest = recording();
  const finished = await train({ ...spec, folder }, rowsOf(expected.rows), null, paused.folder, rest);
  expect([...begun.rows, ...rest.rows]).toEqual(whole.rows);
  const bytes = (at: string): Buffer => readFileSync(join(at, 'adapter_model.safetensors'));
  expect(bytes(finished.folder).equals(bytes(result))).toBe(true);
  const other = train({ ...spec, base_precision: 'float32', folder }, rowsOf(expected.rows), null, paused.folder, recording());
  await expect(other).rejects.toMatchObject({ code: 'snapshot_mismatch' });
});

test('full tuning of a 4-bit base is refused', async () => {
  const spec = await specOf('tiny-llama', 'full', { base_precision: 'int4', base: folderOf('tiny-llama') });
  await expect(train(spec, rowsOf(expected.rows), null, null, recording())).rejects.toMatchObject({ code: 'invalid_spec' });
});
