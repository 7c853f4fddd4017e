import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** A customer message to a bank and what it is about: banking77, see ../data/ATTRIBUTION.md. */
export interface Row {
  text: string;
  intent: string;
}

export async function loadRows(name: 'train' | 'test'): Promise<Row[]> {
  const path = fileURLToPath(new URL(`../data/banking77.${name}.jsonl`, import.meta.url));
  const lines = (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Row);
}

/** A training file: one chat a line, the message as the user's turn and the intent as the assistant's. */
export const toTrainingFile = (rows: Row[]): string =>
  rows
    .map(({ text, intent }) =>
      JSON.stringify({
        messages: [
          { role: 'user', content: text },
          { role: 'assistant', content: intent },
        ],
      }),
    )
    .join('\n');

/** A file of eval items: `{{item.text}}` and `{{item.intent}}` in the eval below stand for these. */
export const toEvalFile = (rows: Row[]): string => rows.map((item) => JSON.stringify({ item })).join('\n');
