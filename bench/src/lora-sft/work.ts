import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TextTokenizer } from '@tunefleet/tokenization';
import { examplesOf } from '@tunefleet/training-data';
import { DataAbsentError } from '../benchmark.js';

export const BATCH = 4;
/** Examples a pass, as the API takes them where a job does not say: gradients of the batch are added up. */
export const MICRO_BATCH = 1;
export const STEPS = 8;
export const WARM_UP = 2;
/** The longest example is far below: nothing is cut. */
const MAX_TOKENS = 2048;

export interface Row {
  ids: number[];
  /** per id: 1 where it is trained on */
  weights: number[];
}

/** dialogsum's first dialogues as chat rows, as the data service would prepare them with the model's own template: the same ids for every side. */
export async function makeWork(folder: string, base: string): Promise<void> {
  const shared = process.env['TUNEFLEET_SHARED'] ?? join(import.meta.dirname, '../../../../shared');
  const file = join(shared, 'data/dialogsum/dialogsum.dev.jsonl');
  if (!existsSync(file)) throw new DataAbsentError('TUNEFLEET_SHARED: data/dialogsum/dialogsum.dev.jsonl is not there');
  const dialogues = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .slice(0, BATCH * STEPS);
  const chats = dialogues.map((line) => {
    const { dialogue, summary } = JSON.parse(line) as { dialogue: string; summary: string };
    const messages = [
      { role: 'user', content: `Summarize this dialogue.\n\n${dialogue}` },
      { role: 'assistant', content: summary },
    ];
    return `${JSON.stringify({ messages })}\n`;
  });
  const tokenizer = await TextTokenizer.load(base);
  const rows: Row[] = [];
  for await (const outcome of examplesOf(chunks(chats), tokenizer, { maxTokens: MAX_TOKENS, onOverflow: 'error' })) {
    if (!('example' in outcome)) throw new Error(`a row of ${file} is no example: ${JSON.stringify(outcome)}`);
    rows.push({ ids: [...outcome.example.ids], weights: [...outcome.example.weights] });
  }
  writeFileSync(join(folder, 'rows.json'), JSON.stringify(rows));
}

async function* chunks(lines: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield new TextEncoder().encode(line);
}
