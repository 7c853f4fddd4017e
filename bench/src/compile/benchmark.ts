import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { modelPackage } from '../../../tools/model-packages.mjs';
import { smolLm2Folder } from '../../../tools/smollm2-folder.mjs';
import { type Benchmark, DataAbsentError } from '../benchmark.js';
import { compare, printRow, type Side } from '../compare.js';
import { peerPython } from '../peer-environment.js';
import { runSide } from '../side.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const PEER = fileURLToPath(new URL('../../peers/compile.py', import.meta.url));
const THREADS = '2';
const TOKENS = '64';

/** How long a job's training process is busy before its first step is done: what a user waits for at every start, resume and retry. */
export const compileBenchmark: Benchmark = {
  name: 'compile',
  about:
    'from the start of the training process to the end of its first step: LoRA r=8 on SmolLM2-135M-Instruct, one row of [--tokens 64], 3 rounds',
  options: { tokens: { type: 'string' } },
  async run({ json, oursOnly, own }) {
    const { missing } = modelPackage('smolLm2');
    if (missing !== '') throw new DataAbsentError(missing);
    const python = oursOnly ? null : peerPython();
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      const tokens = String(own['tokens'] ?? TOKENS);
      const args = [await smolLm2Folder(), tokens, THREADS];
      const sides: [variant: string, ours: Side][] = [
        ['cold', { command: process.execPath, args: [OURS, ...args, folder] }],
        ['cached', { command: process.execPath, args: [OURS, ...args, folder, join(folder, 'graphs')] }],
      ];
      for (const [variant, ours] of sides) {
        if (variant === 'cached') {
          await runSide(ours.command, [...ours.args]);
          // The job that kept the graph ended long before: the disk is not still writing its 1.7 GB.
          await promisify(execFile)('sync');
        }
        const row = await compare(
          {
            bench: 'compile',
            variant: `${variant}, one row of ${tokens} tokens`,
            unit: 's',
            ours,
            peer: python === null ? null : { name: 'PyTorch + transformers + PEFT', command: python, args: [PEER, ...args] },
            rounds: 3,
          },
          false,
        );
        printRow(row, json);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
