import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { peerPython } from '../peer-environment.js';
import { type Measured, median, runSide } from '../side.js';
import { makeWork } from './work.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const PEER = fileURLToPath(new URL('../../peers/small_step.py', import.meta.url));
const ROUNDS = 3;
const THREADS = '2';

async function compare(folder: string, variant: string, python: string | null): Promise<object> {
  const ours: Measured[] = [];
  const peers: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await runSide(process.execPath, [OURS, folder, variant, THREADS]));
    if (python) peers.push(await runSide(python, [PEER, folder, variant, THREADS]));
  }
  const own = median(ours);
  const peer = python ? { name: `PyTorch + transformers${variant === 'lora' ? ' + PEFT' : ''}`, ...median(peers) } : null;
  return {
    bench: 'small-step',
    variant,
    unit: 'tokens/s',
    ours: own,
    peer,
    ratio: peer && own.value / peer.value,
    rss_ratio: peer && own.peak_rss_mb / peer.peak_rss_mb,
  };
}

/** Optimizer steps on the bundled base's shape: 16 short rows packed, against PyTorch on the same rows padded. */
export const smallStep = {
  name: 'small-step',
  about: 'full tuning and LoRA of a 1.9 M model on short rows, against PyTorch (+ PEFT), 2 threads, 3 alternating rounds',
  async run({ json, oursOnly }: { json: boolean; oursOnly: boolean }): Promise<void> {
    const python = oursOnly ? null : peerPython();
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      await makeWork(folder);
      for (const variant of ['full', 'lora']) {
        const row = await compare(folder, variant, python);
        process.stdout.write(json ? `${JSON.stringify(row)}\n` : `${JSON.stringify(row, null, 2).replace(/^\{/, 'small-step {')}\n`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
