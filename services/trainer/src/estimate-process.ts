// Works out what a run needs, in a process that lives as long as one question: the trainer itself never loads the engine.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLlamaConfig } from '@tunefleet/model-formats';
import { estimateRun, measureRates, memoryLimit, type PlannedRun, type Rates, type RunEstimate, ratesKey } from '@tunefleet/training-core';

/** trainer -> process */
export interface Question {
  /** the base's `config.json` */
  config: object;
  run: PlannedRun;
  /** bytes that pods were told they may use; null: pods are on this machine and may use what it has */
  declared: number | null;
}

/** process -> trainer */
export type Answer = { estimate: RunEstimate; limit: number } | { failure: string };

const threads = availableParallelism();

/** Measured once a machine and engine, then kept below TMPDIR. */
async function rates(): Promise<Rates> {
  const file = join(process.env['TMPDIR'] ?? tmpdir(), `tunefleet-rates-${ratesKey(threads)}.json`);
  const kept = await readFile(file, 'utf8').catch(() => null);
  if (kept !== null) return JSON.parse(kept) as Rates;
  const measured = await measureRates(threads);
  await writeFile(`${file}.${process.pid}`, JSON.stringify(measured));
  await rename(`${file}.${process.pid}`, file);
  return measured;
}

process.once('message', async ({ config, run, declared }: Question) => {
  let answer: Answer;
  try {
    const estimate = estimateRun(parseLlamaConfig(config as Parameters<typeof parseLlamaConfig>[0]), run, await rates());
    answer = { estimate, limit: declared ?? memoryLimit() };
  } catch (error) {
    answer = { failure: error instanceof Error ? error.message : String(error) };
  }
  process.send?.(answer, undefined, undefined, () => process.exit(0));
});
process.on('disconnect', () => process.exit(1));
