import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Benchmark } from '../benchmark.js';
import { compare, printRow } from '../compare.js';
import { peerPython } from '../peer-environment.js';
import { makeWork } from './work.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const PEER = fileURLToPath(new URL('../../peers/small_step.py', import.meta.url));
const THREADS = '2';

/** Optimizer steps on the bundled base's shape: 16 short rows packed, against PyTorch on the same rows padded. */
export const smallStep: Benchmark = {
  name: 'small-step',
  about: 'full tuning and LoRA of a 1.9 M model on short rows, against PyTorch (+ PEFT), 2 threads, 3 alternating rounds',
  options: {},
  async run({ json, oursOnly }) {
    const python = oursOnly ? null : peerPython();
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      await makeWork(folder);
      for (const variant of ['full', 'lora']) {
        const args = [folder, variant, THREADS];
        const name = `PyTorch + transformers${variant === 'lora' ? ' + PEFT' : ''}`;
        const row = await compare({
          bench: 'small-step',
          variant,
          unit: 'tokens/s',
          ours: { command: process.execPath, args: [OURS, ...args] },
          peer: python === null ? null : { name, command: python, args: [PEER, ...args] },
          rounds: 3,
        });
        printRow(row, json);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
