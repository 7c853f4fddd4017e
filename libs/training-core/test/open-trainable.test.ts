import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { hasNativeInterface } from '@tunefleet/tensor';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { classifierTuning } from '../src/model/classifier.js';
import { openClassifierBase } from '../src/model/classifier-base.js';
import { classifierLoraTuning } from '../src/model/classifier-lora.js';
import { fullTuning } from '../src/model/full.js';
import { headTuning } from '../src/model/head.js';
import { loraTuning } from '../src/model/lora.js';
import { openWhole } from '../src/open-whole.js';
import type { LoraSpec } from '../src/spec.js';
import { labels, rowsOf } from './classifier-fixture.js';
import { folderOf, workFolder } from './fixture.js';
import { canTell, openFilesIn, threadCount } from './open-handles.js';

const linux = skipUnless(canTell, 'Linux: elsewhere nothing says which files are open');
const native = skipUnless(hasNativeInterface() && canTell, 'koffi on Linux: it is not here');

/** What no recipe of a graph can say: the last step of opening fails. */
const unsayable = 1000n as unknown as number;
const adapter: LoraSpec = { type: 'lora', rank: 4, alpha: 8, dropout: unsayable, targets: 'all-linear' };
const [classifier, language] = ['tiny-bert-classifier', 'tiny-llama'].map(folderOf) as [string, string];
const rest = { baseName: undefined, precision: 'float32', adapter, continueFrom: undefined, seed: 1 } as const;

const FAILING: readonly [string, (scratch: string) => Promise<unknown>][] = [
  [
    'a head whose weights cannot be mapped',
    (scratch) => headTuning({ base: classifier, labels, seed: 1, threads: 1, scratch: join(scratch, 'no') }),
  ],
  ['LoRA of a classifier', (scratch) => classifierLoraTuning({ ...rest, base: classifier, labels, scratch })],
  ['LoRA of a language model', (scratch) => loraTuning({ ...rest, base: language, vocabulary: undefined, scratch })],
  ['a classifier', () => classifierTuning(classifier, { labels, seed: 1, byRows: unsayable as unknown as boolean })],
  ['a language model', () => fullTuning(language, unsayable)],
  ['a base of a classifier without labels', () => openClassifierBase(classifier, undefined as unknown as string[], 1)],
];

for (const [what, open] of FAILING)
  linux(`${what}: what cannot be opened whole leaves no file open, and none behind`, async () => {
    const scratch = await workFolder();
    await expect(open(scratch)).rejects.toThrow(/ENOENT|BigInt|undefined/);
    expect([...openFilesIn(classifier), ...openFilesIn(language)]).toEqual([]);
    expect(await readdir(scratch)).toEqual([]);
  });

native('where a frozen backbone says more of the rows than there is room for, no graph of it stays', async () => {
  const scratch = await workFolder();
  const model = await headTuning({ base: classifier, labels, seed: 1, threads: 8, scratch });
  const rows = rowsOf([{ ids: [1, 2, 3], label: 0 }]);
  await model.prepare!(rows, () => false);
  const before = threadCount();
  await expect(model.prepare!({ ...rows, count: 2 ** 50 }, () => false)).rejects.toThrow(RangeError);
  expect(threadCount()).toBe(before);
  await model.close();
  expect(openFilesIn(classifier)).toEqual([]);
});

test('what was opened is given back the last first, and the error that is told is the first', async () => {
  const given: string[] = [];
  const failed = openWhole(async (held) => {
    for (const name of ['first', 'second'])
      held(() => {
        given.push(name);
        throw new Error(name);
      });
    await Promise.reject(new Error('opening'));
  });
  await expect(failed).rejects.toThrow('opening');
  expect(given).toEqual(['second', 'first']);
});
