import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { headShapes, type LoraConfig, loraMatcher, openModelFolder, writeAdapterLabels, writeLoraFolder } from '@tunefleet/model-formats';
import { adaptableClassifier } from '../src/adapters/adaptable.js';
import { adaptedLinears, initialLoraPair } from '../src/adapters/lora.js';
import { savedTensors } from '../src/adapters/saved-modules.js';
import { openTextClassifier } from '../src/classification/text-classifier.js';
import { randomStream } from '../src/random/stream.js';
import { classifierAdapters, classifiers, probabilities } from './classifiers.js';
import { folderOf } from './fixture.js';
import { writeMergedFolder } from './merged-folder.js';

jest.setTimeout(60_000);

const adapterOf = (name: string): string => folderOf(`classifier-adapters/${name}`);

/** Largest difference of a probability from what logits give. */
async function difference(folder: string, adapter: string | undefined, logits: readonly number[][]): Promise<number> {
  const classifier = await openTextClassifier({ folder, adapter, threads: 1 });
  const found = await classifier.classify(classifiers.rows.slice(0, logits.length).map(({ ids }) => ids));
  await classifier.close();
  const wanted = logits.map(probabilities);
  return Math.max(...found.flatMap((row, index) => [...row].map((share, label) => Math.abs(share - wanted[index]![label]!))));
}

test.each(Object.entries(classifierAdapters.adapters))(
  "a classifier under PEFT's adapter `%s` answers as PEFT",
  async (name, { base, logits }) => {
    expect(await difference(folderOf(base), adapterOf(name), logits)).toBeLessThan(1e-5);
    const plain = await openTextClassifier({ folder: folderOf(base), adapter: adapterOf(name), threads: 1 });
    // PEFT's folder names no classes.
    expect(plain.labels).toEqual(base === 'tiny-llama' ? ['LABEL_0', 'LABEL_1', 'LABEL_2'] : classifiers.labels);
    await plain.close();
  },
);

/** Adapters that we write, with random factors and heads. */
const HEADS = ['classifier', 'score'];
const OURS: Record<string, LoraConfig> = {
  bert: { base: 'tiny-bert-classifier', rank: 3, alpha: 6, dropout: 0, targets: 'all-linear', modules_to_save: HEADS },
  'bert-new-pooler': {
    base: 'tiny-bert-classifier',
    rank: 2,
    alpha: 4,
    dropout: 0.1,
    targets: ['query', 'intermediate.dense'],
    modules_to_save: [...HEADS, 'pooler'],
  },
  llama: { base: 'tiny-llama', rank: 2, alpha: 2, dropout: 0, targets: 'all-linear', layers_to_transform: [1], modules_to_save: HEADS },
};

async function writeOurs(folder: string, config: LoraConfig): Promise<void> {
  const { shapes, weights, labels: _own, ...backbone } = await openModelFolder(folderOf(config.base!));
  await weights.close();
  const model = adaptableClassifier(backbone, new Map([...shapes, ...headShapes(backbone, classifiers.labels.length)]));
  const random = randomStream(5, 'weightInit');
  const noise = (length: number): Float32Array => Float32Array.from({ length }, () => random.uniform() - 0.5);
  const matcher = loraMatcher(config);
  const pairs = adaptedLinears(model, config).map((module, site) => {
    const pair = initialLoraPair(module, matcher, 7, site);
    return [module.name, { ...pair, b: noise(pair.b.length) }] as const;
  });
  const saved = [...savedTensors(model, config)].map(
    ([name, shape]) => [name, { shape, values: noise(shape.reduce((a, b) => a * b)) }] as const,
  );
  await writeLoraFolder(folder, { config: { ...config, task: 'SEQ_CLS' }, pairs: new Map(pairs), saved: new Map(saved) });
  await writeAdapterLabels(folder, classifiers.labels);
}

// WRITE_FIXTURES=1 writes both to fixtures/classifier-adapters, for make_classifier_adapters.py to read.
test.each(Object.keys(OURS))(
  'our adapter `%s` and its merged folder have the bytes that PEFT and transformers loaded, and their answers',
  async (name) => {
    const scratch = await mkdtemp(join(tmpdir(), 'tunefleet-ours-'));
    const base = folderOf(OURS[name]!.base!);
    const made = { ours: join(scratch, 'adapter'), 'ours-merged': join(scratch, 'merged') };
    await writeOurs(made.ours, OURS[name]!);
    await writeMergedFolder(base, made.ours, made['ours-merged']);
    for (const [kind, folder] of Object.entries(made)) {
      const kept = adapterOf(`${kind}/${name}`);
      if (process.env['WRITE_FIXTURES']) {
        await rm(kept, { recursive: true, force: true });
        await cp(folder, kept, { recursive: true });
      }
      for (const file of await readdir(kept))
        expect((await readFile(join(folder, file))).equals(await readFile(join(kept, file)))).toBe(true);
    }
    const peer = classifierAdapters.ours[name]!;
    expect(peer.labels).toEqual(classifiers.labels);
    expect(await difference(base, made.ours, peer.logits)).toBeLessThan(1e-5);
    expect(await difference(made['ours-merged'], undefined, peer.merged)).toBeLessThan(1e-5);
    // Merging changes nothing but the last bits.
    expect(await difference(made['ours-merged'], undefined, peer.logits)).toBeLessThan(1e-5);
    await rm(scratch, { recursive: true });
  },
);

test('an adapter of another model does not fit', async () => {
  const llama = openTextClassifier({ folder: folderOf('tiny-bert-classifier'), adapter: adapterOf('llama'), threads: 1 });
  await expect(llama).rejects.toThrow('does not fit the base');
});
