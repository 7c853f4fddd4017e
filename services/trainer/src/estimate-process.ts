// Works out what a run needs, in a process that lives as long as one question: the trainer itself never loads the engine.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBackbone } from '@tunefleet/model-formats';
import {
  estimateMemory,
  estimateRun,
  isRates,
  measureRates,
  memoryLimit,
  type PlannedRun,
  type Rates,
  type RunEstimate,
  ratesKey,
} from '@tunefleet/training-core';

/** trainer -> process */
export interface Question {
  wanted: 'memory' | 'estimate';
  /** the base's `config.json` */
  config: object;
  run: PlannedRun;
  /** bytes that pods were told they may use; null: pods are on this machine and may use what it has */
  declared: number | null;
}

/** Bytes that the run needs at its highest, and that a training process may use. */
interface Memory {
  needed: number;
  limit: number;
}

/** process -> trainer */
export type Answer =
  | ({ wanted: 'memory' } & Memory)
  | ({ wanted: 'estimate' } & Memory & Pick<RunEstimate, 'seconds' | 'error'>)
  | { wanted: 'nothing'; failure: string };

const threads = availableParallelism();

/** Measured once a machine and engine, then kept below TMPDIR. */
async function rates(): Promise<Rates> {
  const file = join(process.env['TMPDIR'] || tmpdir(), `tunefleet-rates-${ratesKey(threads)}.json`);
  const kept: unknown = JSON.parse(await readFile(file, 'utf8').catch(() => 'null'));
  if (isRates(kept)) return kept;
  const measured = await measureRates(threads);
  await writeFile(`${file}.${process.pid}`, JSON.stringify(measured));
  await rename(`${file}.${process.pid}`, file);
  return measured;
}

async function answerOf({ wanted, config, run, declared }: Question): Promise<Answer> {
  const base = parseBackbone(config as Parameters<typeof parseBackbone>[0]);
  const limit = declared ?? memoryLimit();
  if (wanted === 'memory') return { wanted, needed: estimateMemory(base, run), limit };
  const { seconds, peak_memory_bytes, error } = estimateRun(base, run, await rates());
  return { wanted, needed: peak_memory_bytes, seconds, error, limit };
}

process.once('message', async (question: Question) => {
  const answer = await answerOf(question).catch((error: unknown): Answer => {
    return { wanted: 'nothing', failure: error instanceof Error ? error.message : String(error) };
  });
  process.send?.(answer, undefined, undefined, () => process.exit(0));
});
process.on('disconnect', () => process.exit(1));
