import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type LlamaConfig, loraMatcher, parseLlamaConfig, readJsonObject, writeLoraFolder } from '@tunefleet/model-formats';
import { adaptableLanguageModel, adaptedLinears, initialLoraPair } from '@tunefleet/models';
import { TextTokenizer } from '@tunefleet/tokenization';
import { examplesOf } from '@tunefleet/training-data';

export const STEPS = 60;
export const BATCH = 4;
export const LORA = { type: 'lora', rank: 8, alpha: 16, dropout: 0, targets: 'all-linear' } as const;
/** Rows whose logits are compared too. */
export const LOGIT_ROWS = 8;
/** Every n-th row of the file, which is ordered by intent. */
const STRIDE = 20;
const SEED = 1;

const TEXTS = fileURLToPath(new URL('../../../quickstart/data/banking77.train.jsonl', import.meta.url));

export interface Rows {
  ids: number[][];
  weights: number[][];
  /** sha256 over all ids and weights: the record belongs to these rows alone */
  sha256: string;
}

/**
 * What both sides train on, into `folder`: `rows.json` (banking77, CC BY 4.0, as chats through the model's own template, answers trained on) and
 * `initial/`, the adapter that both begin with.
 */
export async function makeWork(model: string, folder: string): Promise<Rows> {
  const config = parseLlamaConfig(await readJsonObject(model, 'config.json'));
  await writeInitial(config, basename(model), join(folder, 'initial'));
  const rows = await rowsOf(model);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'rows.json'), JSON.stringify(rows));
  return rows;
}

export const readRows = (folder: string): Rows => JSON.parse(readFileSync(join(folder, 'rows.json'), 'utf8')) as Rows;

async function rowsOf(model: string): Promise<Rows> {
  const tokenizer = await TextTokenizer.load(model);
  const source = Readable.from([Buffer.from((await chats()).join('\n'))]);
  const ids: number[][] = [];
  const weights: number[][] = [];
  for await (const outcome of examplesOf(source, tokenizer, { maxTokens: 512, onOverflow: 'error' })) {
    if (!('example' in outcome)) throw new Error(`a row cannot be trained on: ${JSON.stringify(outcome)}`);
    ids.push([...outcome.example.ids]);
    weights.push([...outcome.example.weights]);
  }
  const sha256 = createHash('sha256')
    .update(JSON.stringify([ids, weights]))
    .digest('hex');
  return { ids, weights, sha256 };
}

async function chats(): Promise<string[]> {
  const chosen: string[] = [];
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(TEXTS) })) {
    if (line++ % STRIDE !== 0 || chosen.length === STEPS * BATCH) continue;
    const row = JSON.parse(text) as { text: string; intent: string };
    const answer = row.intent.replaceAll('_', ' ');
    chosen.push(
      JSON.stringify({
        messages: [
          { role: 'user', content: row.text },
          { role: 'assistant', content: answer },
        ],
      }),
    );
  }
  if (chosen.length < STEPS * BATCH) throw new Error(`banking77.train.jsonl gives ${chosen.length} rows, ${STEPS * BATCH} are needed`);
  return chosen;
}

async function writeInitial(config: LlamaConfig, base: string, folder: string): Promise<void> {
  const modules = adaptedLinears(adaptableLanguageModel(config), LORA);
  const pairs = new Map(modules.map((module, site) => [module.name, initialLoraPair(module, loraMatcher(LORA), SEED, site)]));
  await writeLoraFolder(folder, { config: { ...LORA, base }, pairs, saved: new Map() });
}
