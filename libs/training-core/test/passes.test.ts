import { afterEach, expect, jest, test } from '@jest/globals';
import { Executable } from '@tunefleet/tensor';
import { Passes } from '../src/loop/passes.js';
import { openTrainable } from '../src/model/open-trainable.js';
import { openState } from '../src/state/open-state.js';
import { expected, rowsOf, specOf, workFolder } from './fixture.js';

const release = Executable.prototype.release;
afterEach(() => {
  Executable.prototype.release = release;
});
// Other suites share the cores.
jest.setTimeout(60_000);

test('where one of the graphs cannot be released, the others are', async () => {
  const [spec, scratch] = [await specOf('tiny-llama', 'lora'), await workFolder()];
  const settings = { ...spec, scratch, provider: 'cpu' } as const;
  const model = await openTrainable(spec, scratch);
  const state = await openState(model, 'host', settings);
  await state.begin(({ parameters }) => model.initialize(parameters));
  const passes = new Passes(model, state.parameters, settings);
  const rows = rowsOf(expected.rows);
  const batch = model.network.batch([rows.get(0), rows.get(1)])!;
  await passes.train(batch, { step: 0, microBatch: 0, scale: 1, first: true }, state.gradients);
  await passes.validate(batch);
  let released = 0;
  Executable.prototype.release = async function (): Promise<void> {
    await release.call(this);
    released++;
    throw new Error(`release ${released}`);
  };
  await expect(passes.release()).rejects.toThrow('release 1');
  expect(released).toBe(2);
  await model.close();
});
