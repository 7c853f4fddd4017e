import { afterEach, expect } from '@jest/globals';
import { hasNativeInterface } from '@tunefleet/tensor';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { flatLayout } from '../src/parameters.js';
import { DeviceState } from '../src/state/device-state.js';
import { workFolder } from './fixture.js';
import { addressSpace, canTell, threadCount } from './open-handles.js';

const native = skipUnless(hasNativeInterface() && canTell, 'koffi on Linux: it is not here');
const temporary = process.env['TMPDIR'];
afterEach(() => {
  if (temporary === undefined) delete process.env['TMPDIR'];
  else process.env['TMPDIR'] = temporary;
});

const optimizer = { learning_rate: 1, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.1 } as const;
const opened = (shapes: Record<string, number[]>, scratch: string): Promise<DeviceState> =>
  DeviceState.open(flatLayout(Object.entries(shapes)), { provider: 'cpu', threads: 8, optimizer, scratch });

/** The first state of a process leaves threads that are nobody's in particular: koffi's. */
const warmed = async (): Promise<string> => {
  const scratch = await workFolder();
  await (await opened({ small: [4, 4] }, scratch)).release();
  return scratch;
};

native('where a graph of the state cannot be made, those before it are released', async () => {
  const scratch = await warmed();
  const before = threadCount();
  // The third graph's files: the copier's.
  process.env['TMPDIR'] = '/nowhere';
  await expect(opened({ small: [4, 4] }, scratch)).rejects.toThrow('tunefleet-graph-');
  expect(threadCount()).toBe(before);
});

native('where the device has no room for a tensor of the state, its graphs and the tensors before it are released', async () => {
  const scratch = await warmed();
  const [threads, bytes] = [threadCount(), addressSpace()];
  const large = [2 ** 14, 2 ** 14];
  await expect(opened({ large, small: [4, 4], impossible: [2 ** 20, 2 ** 20, 2 ** 10] }, scratch)).rejects.toThrow(/alloc/i);
  expect(threadCount()).toBe(threads);
  expect(addressSpace() - bytes).toBeLessThan(2 ** 29);
});
