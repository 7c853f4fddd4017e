import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { openSafetensors, writeSafetensors } from '@tunefleet/model-formats';
import { openTextClassifier } from '../src/classification/text-classifier.js';
import { type ClassifierName, classifiers, probabilities } from './classifiers.js';
import { folderOf } from './fixture.js';

// Other suites share the cores.
jest.setTimeout(60_000);

const NAMES: ClassifierName[] = ['tiny-bert-classifier', 'tiny-llama-classifier'];

test.each(NAMES)("%s gives transformers' classes, many texts at once or one by one", async (name) => {
  const classifier = await openTextClassifier({ folder: folderOf(name), threads: 1 });
  const { logits, transformers_float32_error } = classifiers[name];
  const texts = classifiers.rows.slice(0, logits.length).map(({ ids }) => ids);
  expect(classifier.labels).toEqual(classifiers.labels);
  const together = await classifier.classify(texts);
  // A probability moves by at most half of what a difference of two logits moves.
  const allowed = 2 * transformers_float32_error + 1e-7;
  for (const [row, found] of together.entries()) {
    const wanted = probabilities(logits[row]!);
    const [alone] = await classifier.classify([texts[row]!]);
    for (const [label, probability] of wanted.entries()) {
      expect(Math.abs(found[label]! - probability)).toBeLessThan(allowed);
      expect(Math.abs(alone![label]! - probability)).toBeLessThan(allowed);
    }
  }
  await classifier.close();
});

test('a classifier that cannot be opened leaves no files behind', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'tunefleet-classifier-'));
  const before = process.env['TMPDIR'];
  // Where the graph's own files would go.
  process.env['TMPDIR'] = join(scratch, 'missing');
  try {
    const folder = folderOf('tiny-bert-classifier');
    await expect(openTextClassifier({ folder, precision: 'int4', threads: 1, scratch })).rejects.toThrow('ENOENT');
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
  expect(await readdir(scratch)).toEqual([]);
  await rm(scratch, { recursive: true });
});

test('a classifier that lacks a part leaves no files behind', async () => {
  const [folder, scratch] = [
    await mkdtemp(join(tmpdir(), 'tunefleet-classifier-')),
    await mkdtemp(join(tmpdir(), 'tunefleet-classifier-')),
  ];
  const from = folderOf('tiny-bert-classifier');
  await copyFile(join(from, 'config.json'), join(folder, 'config.json'));
  const file = await openSafetensors(join(from, 'model.safetensors'));
  const names = file.names.filter((name) => !name.includes('pooler'));
  const tensors = await Promise.all(names.map(async (name) => ({ ...file.info(name), name, data: await file.bytes(name) })));
  await writeSafetensors(join(folder, 'model.safetensors'), tensors);
  await file.close();
  await expect(openTextClassifier({ folder, threads: 1, scratch })).rejects.toThrow('the model has no tensor bert.pooler.dense.weight');
  expect(await readdir(scratch)).toEqual([]);
  for (const made of [folder, scratch]) await rm(made, { recursive: true });
});

test('a number of threads that is none is refused by name', async () => {
  const opened = openTextClassifier({ folder: folderOf('tiny-bert-classifier'), threads: -1 });
  await expect(opened).rejects.toThrow(new RangeError('threads = -1: it is a whole number from 1'));
});

test('a language model is no classifier', async () => {
  await expect(openTextClassifier({ folder: folderOf('tiny-llama'), threads: 1 })).rejects.toThrow('no classifier');
});
