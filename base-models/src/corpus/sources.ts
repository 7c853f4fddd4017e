import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { csvRows } from './csv.js';

/** A text as the model reads it: a conversation by its turns, or plain text. */
export type Document = { turns: { role: 'user' | 'assistant'; content: string }[] } | { text: string };

export interface Source {
  name: string;
  /** below `$TUNEFLEET_SHARED/data` */
  file: string;
  origin: string;
  licence: string;
  /** documents taken from the beginning of the file; absent: all */
  take?: number;
  /** how often each document is seen */
  repeats: number;
  documents(text: string): Document[];
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');
const oneSpace = (text: string): string => text.replace(/\s+/g, ' ').trim();
const user = (content: string) => ({ role: 'user' as const, content });
const assistant = (content: string) => ({ role: 'assistant' as const, content });

/** Only texts whose licence allows a model of them to be given away. README.md beside the model lists the same. */
export const SOURCES: readonly Source[] = [
  {
    name: 'banking77 (training split, messages alone)',
    file: 'banking77/train.csv',
    origin: 'PolyAI-LDN/task-specific-datasets: banking_data/train.csv',
    licence: 'CC BY 4.0',
    repeats: 4,
    documents: (text) => csvRows(text).map(([message]) => ({ turns: [user(oneSpace(message!))] })),
  },
  {
    name: 'banking77 (names of the intents)',
    file: 'banking77/categories.json',
    origin: 'PolyAI-LDN/task-specific-datasets: banking_data/categories.json',
    licence: 'CC BY 4.0',
    // Seldom enough to cost little, often enough that their words become tokens.
    repeats: 40,
    documents: (text) => (JSON.parse(text) as string[]).map((name) => ({ text: name })),
  },
  {
    name: 'GSM8K (training split)',
    file: 'gsm8k/train-first6000.jsonl',
    origin: 'openai/grade-school-math: grade_school_math/data/train.jsonl',
    licence: 'MIT',
    take: 1500,
    repeats: 1,
    documents: (text) =>
      lines(text).map((line) => {
        const { question, answer } = JSON.parse(line) as { question: string; answer: string };
        return { turns: [user(question), assistant(answer.replace(/<<[^>]*>>/g, ''))] };
      }),
  },
  {
    name: 'Self-Instruct seed tasks',
    file: 'self-instruct-seed/seed_tasks.jsonl',
    origin: 'yizhongw/self-instruct: data/seed_tasks.jsonl',
    licence: 'Apache-2.0',
    repeats: 2,
    documents: (text) =>
      lines(text).flatMap((line) => {
        const { instruction, instances } = JSON.parse(line) as { instruction: string; instances: { input: string; output: string }[] };
        return instances.map(({ input, output }) => ({
          turns: [user(input === '' ? instruction : `${instruction}\n${input}`), assistant(output)],
        }));
      }),
  },
  {
    name: 'Tiny Shakespeare',
    file: 'tinyshakespeare/input.txt',
    origin: 'karpathy/char-rnn: data/tinyshakespeare/input.txt',
    licence: 'public domain (text of the First Folio)',
    take: 2000,
    repeats: 1,
    documents: (text) => text.split('\n\n').map((speech) => ({ text: speech.trim() })),
  },
];

export interface SourceTexts {
  source: Source;
  documents: Document[];
}

/** Every source's documents. Errors: names the files that are missing, and the variable that says where they are. */
export async function readSources(shared: string): Promise<SourceTexts[]> {
  const missing: string[] = [];
  const texts = await Promise.all(
    SOURCES.map(async (source) => {
      const text = await readFile(join(shared, 'data', source.file), 'utf8').catch(() => null);
      if (text === null) missing.push(source.file);
      return { source, documents: text === null ? [] : source.documents(text).slice(0, source.take) };
    }),
  );
  if (missing.length > 0) {
    const wanted = missing.map((file) => `  data/${file}`).join('\n');
    throw new Error(`training the base needs these files below TUNEFLEET_SHARED (${shared}):\n${wanted}`);
  }
  return texts;
}
