import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Benchmark, DataAbsentError } from '../benchmark.js';
import { printRow } from '../compare.js';
import { peerPython } from '../peer-environment.js';
import { runSide } from '../side.js';
import { miniLmFolder, writeSst2 } from '../sst2.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const PEER = fileURLToPath(new URL('../../peers/encoder_equality.py', import.meta.url));
const THREADS = '2';
const STEPS = 60;
const BATCH = 8;
const LOGIT_ROWS = 64;

interface OurSide {
  losses: number[];
  logits: number[][];
}

/** 60 optimizer steps of MiniLM as a classifier, without dropout: the loss of each against PyTorch, and logits against transformers in float64. */
export const encoderEquality: Benchmark = {
  name: 'encoder-equality',
  about: '60 steps of MiniLM as a classifier of SST-2 against PyTorch, loss by loss, and its logits against transformers in float64',
  options: {},
  async run({ json }) {
    const model = miniLmFolder();
    const python = peerPython();
    if (python === null) throw new DataAbsentError('encoder-equality needs PyTorch, which makes the head that both sides begin with');
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      const work = await writeSst2(folder, model, STEPS * BATCH, { batch: BATCH, rate: 2e-5, logit_rows: LOGIT_ROWS });
      const peer = (await runSide(python, [PEER, model, work, THREADS, folder])) as unknown as OurSide & { float32_error: number };
      const ours = (await runSide(process.execPath, [OURS, join(folder, 'base'), work, THREADS])) as unknown as OurSide;
      const differences = ours.losses.map((loss, step) => Math.abs(loss - peer.losses[step]!) / peer.losses[step]!);
      const errors = ours.logits.flatMap((row, at) => row.map((logit, label) => Math.abs(logit - peer.logits[at]![label]!)));
      const row = {
        bench: 'encoder-equality',
        variant: 'MiniLM, SST-2, full tuning',
        unit: 'largest relative difference of a loss',
        steps: differences.length,
        value: Math.max(...differences),
        first_loss: ours.losses[0],
        last_loss: ours.losses.at(-1),
        peer: 'PyTorch + transformers',
        logits: {
          largest: Math.max(...peer.logits.flat().map(Math.abs)),
          ours: Math.max(...errors),
          transformers_float32: peer.float32_error,
        },
      };
      printRow(row, json);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
