/** Trains the bundled base from scratch: `node base-models/dist/train.js [FOLDER]`, FOLDER being base-models/tunefleet-base unless given. */
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLlamaFolder, weightsSha256Of, writeLlamaFolder } from '@tunefleet/model-formats';
import type { Example } from '@tunefleet/models';
import { TextTokenizer } from '@tunefleet/tokenization';
import { engineIdentity, type MetricsRow, train } from '@tunefleet/training-core';
import { pretrainingExamples } from './corpus/examples.js';
import { groupedByLength } from './corpus/order.js';
import { readSources, type SourceTexts } from './corpus/sources.js';
import { lossCsv, lossSvg } from './curve.js';
import { initialWeights } from './model/initial-weights.js';
import { CONFIG, MAX_TOKENS, SEED, TRAINING, VOCABULARY_SIZE } from './recipe.js';
import { generationConfigJson, SPECIAL_TOKENS, tokenizerConfigJson, tokenizerJson } from './tokenizer/files.js';
import { trainBpe } from './tokenizer/train-bpe.js';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** A folder with the tokenizer and untrained weights. */
async function makeUntrained(folder: string, sources: readonly SourceTexts[]): Promise<TextTokenizer> {
  await writeLlamaFolder(folder, CONFIG, initialWeights(CONFIG, SEED));
  const vocabulary = trainBpe(tokenizerTexts(sources), VOCABULARY_SIZE, SPECIAL_TOKENS);
  await writeFile(join(folder, 'tokenizer.json'), tokenizerJson(vocabulary));
  await writeFile(join(folder, 'tokenizer_config.json'), tokenizerConfigJson(MAX_TOKENS));
  return TextTokenizer.load(folder);
}

/** Each document as often as it is trained on; roles are in the vocabulary as words. */
function* tokenizerTexts(sources: readonly SourceTexts[]): Generator<string> {
  for (const { source, documents } of sources) {
    for (let repeat = 0; repeat < source.repeats; repeat++) {
      for (const document of documents) {
        if ('text' in document) yield document.text;
        else for (const { role, content } of document.turns) yield* [role, content];
      }
    }
  }
}

async function examplesOf(sources: readonly SourceTexts[], tokenizer: TextTokenizer): Promise<Example[]> {
  const examples: Example[] = [];
  for (const { source, documents } of sources) {
    const once = await pretrainingExamples(documents, tokenizer, MAX_TOKENS);
    const tokens = once.reduce((sum, { ids }) => sum + ids.length, 0);
    say(`${source.name}: ${documents.length} documents, ${tokens} tokens, ${source.repeats} times, ${source.licence}`);
    for (let repeat = 0; repeat < source.repeats; repeat++) examples.push(...once);
  }
  return groupedByLength(examples, TRAINING.micro_batch_size, SEED);
}

async function main(): Promise<void> {
  const bundled = fileURLToPath(new URL('../tunefleet-base', import.meta.url));
  const target = resolve(process.argv[2] ?? bundled);
  const shared = process.env['TUNEFLEET_SHARED'] ?? fileURLToPath(new URL('../../../shared', import.meta.url));
  const sources = await readSources(shared);
  const work = await mkdtemp(join(process.env['TMPDIR'] ?? tmpdir(), 'tunefleet-train-base-'));
  try {
    const base = join(work, 'base');
    const examples = await examplesOf(sources, await makeUntrained(base, sources));
    const started = Date.now();
    const rows: MetricsRow[] = [];
    await train(
      { ...TRAINING, base, folder: join(work, 'run') },
      { count: examples.length, get: (index) => examples[index]! },
      null,
      null,
      {
        onStep(row) {
          rows.push(row);
          if (row.step % 20 === 0)
            say(`step ${row.step}: loss ${row.train_loss.toFixed(3)}, ${Math.round((Date.now() - started) / 1000)} s`);
        },
        onSnapshot: () => undefined,
        onCheckpoint: () => undefined,
        shouldStop: () => 'continue',
      },
    );
    const result = join(work, 'run', 'result');
    await mkdir(target, { recursive: true });
    await cp(result, target, { recursive: true });
    await writeFile(join(target, 'generation_config.json'), generationConfigJson(CONFIG));
    await writeFile(join(target, 'loss.csv'), lossCsv(rows));
    await writeFile(join(target, 'loss.svg'), lossSvg(rows));
    const { weights } = await openLlamaFolder(target);
    const engine = engineIdentity(TRAINING.threads);
    say(`weights_sha256 ${await weightsSha256Of(weights)} (${JSON.stringify(engine)})`);
    say(`${Math.round((Date.now() - started) / 1000)} s of training; written to ${target}`);
    await weights.close();
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`train-base: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
