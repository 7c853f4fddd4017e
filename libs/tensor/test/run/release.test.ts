import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from '@jest/globals';
import * as t from '../../src/index.js';
import { createSession } from '../../src/run/session.js';
import { writeGraph } from '../../src/run/written-graph.js';

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
  const executable = new t.Executable(session, face, settings, discard);
  // onnxruntime-node refuses to release a session again.
  await session.release();
  await expect(executable.release()).rejects.toThrow(/disposed/);
  await expect(access(dirname(path))).rejects.toThrow('ENOENT');
});
