import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { smolLm2Folder } from '../../../tools/smollm2-folder.mjs';
import type { Benchmark } from '../benchmark.js';
import { compare, printRow } from '../compare.js';
import { peerPython } from '../peer-environment.js';
import { makeWork } from './work.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const PEERS = fileURLToPath(new URL('../../peers/', import.meta.url));
const THREADS = '2';

const VARIANTS = [
  { variant: 'TRL defaults', name: 'TRL SFTTrainer', script: 'lora_sft.py' },
  { variant: 'block-diagonal', name: 'PyTorch + PEFT, block-diagonal packing', script: 'lora_sft_packed.py' },
] as const;

export const loraSft: Benchmark = {
  name: 'lora-sft',
  about:
    'LoRA of SmolLM2-135M-Instruct on dialogsum as chat, loss on the answer, batches of 4, against TRL and packed PyTorch, 2 threads, 3 rounds',
  options: {},
  async run({ json, oursOnly }) {
    const base = await smolLm2Folder();
    const python = oursOnly ? null : peerPython();
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      await makeWork(folder, base);
      const args = [folder, base, THREADS];
      for (const { variant, name, script } of oursOnly ? VARIANTS.slice(0, 1) : VARIANTS) {
        const row = await compare({
          bench: 'lora-sft',
          variant,
          unit: 'examples/s',
          ours: { command: process.execPath, args: [OURS, ...args] },
          peer: python === null ? null : { name, command: python, args: [join(PEERS, script), ...args] },
          rounds: 3,
        });
        printRow(row, json);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
