import { afterEach, expect } from '@jest/globals';
import { skipUnless } from '../../../../tools/jest/skip-unless.js';
import * as t from '../../src/index.js';

const native = skipUnless(t.hasNativeInterface(), 'koffi: it does not load here');
const temporary = process.env['TMPDIR'];
afterEach(() => {
  if (temporary === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = temporary;
});

native('a copy that failed for want of its graph may be asked again, and takes nothing from the release', async () => {
  const mover = await t.copier('cpu');
  const [values, tensor] = [Float32Array.of(1, 2, 3, 4), mover.allocate([2, 2])];
  process.env['TMPDIR'] = '/nowhere';
  await expect(mover.copy(values, tensor)).rejects.toThrow('ENOENT');
  await expect(mover.copy(values, tensor)).rejects.toThrow('ENOENT');
  if (temporary === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = temporary;
  await mover.copy(values, tensor);
  expect(await mover.read(tensor)).toEqual(values);
  process.env['TMPDIR'] = '/nowhere';
  await expect(mover.copy(Float32Array.of(1), mover.allocate([1, 1, 1]))).rejects.toThrow('ENOENT');
  tensor.release();
  await mover.release();
});
