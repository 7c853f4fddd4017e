import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Options } from '../benchmark.js';
import { compare, printRow } from '../compare.js';
import { peerPython } from '../peer-environment.js';
import type { Measured } from '../side.js';
import type { ProductShare } from './share-of-matmul-rate.js';
import type { Variant } from './spec.js';
import { makeWork } from './work.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const PEER = fileURLToPath(new URL('../../peers/llama_step.py', import.meta.url));
const THREADS = '2';

/** Steps of a SmolLM2-135M-shaped model on one row of `--tokens` ids, all trained on, against PyTorch. */
export async function compareSteps(bench: string, variant: Variant, { json, oursOnly, own }: Options): Promise<void> {
  const tokens = Number(own['tokens'] ?? 512);
  const memory = own['lean'] === true ? 'lean' : 'fast';
  const python = oursOnly ? null : peerPython();
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
  try {
    await makeWork(folder, tokens);
    const args = [folder, variant, THREADS];
    // PyTorch has no 4-bit base on a CPU: its side of qlora is LoRA over float32.
    const theirs = variant === 'full' ? 'full' : 'lora';
    const name = `PyTorch + transformers${theirs === 'lora' ? ' + PEFT' : ''}, float32`;
    const row = await compare({
      bench,
      variant: `${tokens} tokens${memory === 'lean' ? ', lean' : ''}`,
      unit: 'tokens/s',
      ours: { command: process.execPath, args: [OURS, ...args, memory] },
      peer: python === null ? null : { name, command: python, args: [PEER, folder, theirs, THREADS] },
      rounds: Number(own['rounds'] ?? 3),
    });
    const { share_of_matmul_rate } = row.ours as Measured & ProductShare;
    const shown = { ...row, share_of_matmul_rate };
    printRow(shown, json);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
