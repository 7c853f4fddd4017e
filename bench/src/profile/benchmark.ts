import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, type ProfiledNode, readProfile, releaseTensors } from '@tunefleet/tensor';
import { openTrainable, passGraph } from '@tunefleet/training-core';
import type { Benchmark } from '../benchmark.js';
import { readRows, stepSpec, type Variant } from '../llama-step/spec.js';
import { makeWork } from '../llama-step/work.js';
import { lineOfModel, type ProfileLine, summarize } from './summarize.js';

const ROWS: Readonly<Record<string, Variant>> = { 'lora-step': 'lora', 'full-step': 'full' };
const THREADS = 2;
const RUNS = 3;

/** Where a step's time goes, by ONNX Runtime's own profile: forward and backward pass, without the optimizer. */
export const profile: Benchmark = {
  name: 'profile',
  about: `profile ${Object.keys(ROWS).join('|')} [--tokens 512]: the pass by operator and by line of the model, ONNX Runtime's own profile`,
  options: { tokens: { type: 'string' } },
  async run({ json, arguments: [row = 'lora-step'], own }) {
    const variant = ROWS[row];
    if (!variant) throw new Error(`profile knows ${Object.keys(ROWS).join(', ')}`);
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      await makeWork(folder, Number(own['tokens'] ?? 512));
      const nodes = await profilePass(folder, variant);
      print(
        row,
        'operator',
        summarize(nodes, RUNS, ({ operator }) => operator),
        json,
      );
      print(row, 'line', summarize(nodes, RUNS, lineOfModel), json);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** The nodes of `RUNS` passes; the first pass, which plans and allocates, is left out. */
async function profilePass(folder: string, variant: Variant): Promise<ProfiledNode[]> {
  const model = await openTrainable(stepSpec(folder, variant, THREADS), folder);
  const prefix = join(folder, 'profile');
  const parameters = new Float32Array(model.layout.size);
  await model.initialize(parameters);
  const executable = await compile({ outputs: passGraph(model, true).outputs, threads: THREADS, spinning: true, profile: prefix });
  const weights = Object.fromEntries(
    model.layout.slots.map(({ name, offset, length }) => [name, parameters.subarray(offset, offset + length)]),
  );
  const feeds = { ...weights, ...model.network.batch(readRows(folder).slice(0, 1))!.feeds };
  for (let run = 0; run <= RUNS; run++) releaseTensors(Object.values(await executable.run(feeds)));
  await executable.release();
  await model.close();
  const nodes = readProfile(prefix);
  return nodes.slice(nodes.length / (RUNS + 1));
}

function print(row: string, by: string, lines: readonly ProfileLine[], json: boolean): void {
  if (json) {
    for (const line of lines) process.stdout.write(`${JSON.stringify({ bench: 'profile', variant: row, by, ...line })}\n`);
    return;
  }
  const total = lines.reduce((sum, { ms }) => sum + ms, 0);
  process.stdout.write(`profile ${row} by ${by}: ${total.toFixed(0)} ms a pass in kernels\n`);
  for (const { name, ms, share, calls } of lines) {
    process.stdout.write(
      `${ms.toFixed(1).padStart(9)} ms ${(100 * share).toFixed(1).padStart(5)} % ${String(calls).padStart(6)} x  ${name}\n`,
    );
  }
}
