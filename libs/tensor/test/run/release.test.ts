import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from '@jest/globals';
import { skipUnless } from '../../../../tools/jest/skip-unless.js';
import * as t from '../../src/index.js';
import { createSession } from '../../src/run/session.js';
import { writeGraph } from '../../src/run/written-graph.js';

const native = skipUnless(t.hasNativeInterface(), 'koffi: it does not load here');

const sum = (): Record<string, t.Value> => ({ y: t.add(new t.GraphBuilder().input('x', 'f32', ['n']), 1) });

test('where one release throws, the others are done all the same, and the first error is told', async () => {
  const done: number[] = [];
  const failing = (place: number) => async (): Promise<void> => {
    await Promise.resolve();
    done.push(place);
    if (place > 0) throw new Error(`release ${place}`);
  };
  await expect(t.releaseAll([0, 1, 2, 0].map(failing))).rejects.toThrow('release 1');
  expect(done).toEqual([0, 1, 2, 0]);
});

test('the files of an executable go also where its session cannot be released', async () => {
  const settings = { engineInterface: 'node' } as const;
  const { path, face, discard } = await writeGraph(sum(), settings);
  const session = await createSession(path, settings);
  const executable = new t.Executable(session, face, {}, discard);
  // onnxruntime-node refuses to release a session again.
  await session.release();
  await expect(executable.release()).rejects.toThrow(/disposed/);
  await expect(access(dirname(path))).rejects.toThrow('ENOENT');
});

test.each(t.hasNativeInterface() ? (['native', 'node'] as const) : (['node'] as const))(
  '%s: an executable that is released during a run is freed after it',
  async (engineInterface) => {
    const x = new t.GraphBuilder().input('x', 'f32', [500, 500]);
    const executable = await t.compile({ outputs: { y: t.matmul(t.matmul(t.matmul(x, x), x), x) }, engineInterface });
    const going = executable.run({ x: new Float32Array(250_000).fill(0.01) });
    const released = executable.release();
    await expect(executable.run({ x: new Float32Array(250_000) })).rejects.toThrow('this executable was released');
    await released;
    expect((await going)['y']!.data[7]).toBeCloseTo(500 ** 3 * 0.01 ** 4, 5);
  },
);

native('a tensor outlives the executable whose memory it lies in', async () => {
  const [made, other] = [await t.compile({ outputs: sum() }), await t.compile({ outputs: sum() })];
  const tensor = made.onDevice('f32', [1 << 20]);
  await made.run({ x: new Float32Array(1 << 20).fill(3) }, ['y'], { y: tensor });
  await made.release();
  expect((await other.run({ x: tensor }))['y']!.data[5]).toBe(5);
  tensor.release();
  tensor.release();
  await made.release();
  await other.release();
});
