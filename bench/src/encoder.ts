import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MetricsRow, TrainingSpec } from '@tunefleet/training-core';
import { train } from '@tunefleet/training-core';
import type { Benchmark } from './benchmark.js';
import { compare, printRow } from './compare.js';
import { peerPython } from './peer-environment.js';
import { miniLmFolder, type Sst2Work, writeSst2 } from './sst2.js';

const THREADS = '2';

interface EncoderComparison<Settings> {
  name: string;
  variant: string;
  unit: string;
  about: string;
  /** whether a larger value is better */
  higher: boolean;
  rounds: number;
  rows: number;
  settings: Settings;
  /** path of our side's script; of the peer's in `bench/peers` */
  ours: string;
  peer: string;
}

/** MiniLM on SST-2: our side and PyTorch + transformers, each a process of its own that is given base, work file and threads. */
export const encoderBenchmark = <Settings extends { batch: number; rate: number }>(comparison: EncoderComparison<Settings>): Benchmark => ({
  name: comparison.name,
  about: comparison.about,
  options: {},
  async run({ json, oursOnly }) {
    const base = miniLmFolder();
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      const args = [base, await writeSst2(folder, base, comparison.rows, comparison.settings), THREADS];
      const python = oursOnly ? null : peerPython();
      const row = await compare(
        {
          bench: comparison.name,
          variant: comparison.variant,
          unit: comparison.unit,
          ours: { command: process.execPath, args: [comparison.ours, ...args] },
          peer: python === null ? null : { name: 'PyTorch + transformers', command: python, args: [comparison.peer, ...args] },
          rounds: comparison.rounds,
        },
        comparison.higher,
      );
      printRow(row, json);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
});

/** Our side: trains on the work file named on the command line. `onStep` sees every step with the work's settings. */
export async function trainSst2<Settings>(
  specOf: (work: Sst2Work & Settings) => Pick<TrainingSpec, 'epochs' | 'freeze'>,
  onStep: (row: MetricsRow, work: Sst2Work & Settings) => void,
): Promise<void> {
  const [base = '', file = '', threads = THREADS] = process.argv.slice(2);
  const work = JSON.parse(readFileSync(file, 'utf8')) as Sst2Work & Settings;
  const rows = work.ids.map((ids, row) => ({ ids: Int32Array.from(ids), weights: new Float32Array(0), label: work.labels[row]! }));
  const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
  try {
    await train(
      {
        base,
        task: { type: 'classification', labels: work.names },
        adapter: { type: 'full' },
        optimizer: {
          type: 'adamw',
          learning_rate: work.rate,
          betas: [0.9, 0.999],
          eps: 1e-8,
          weight_decay: 0,
          max_grad_norm: 1,
          schedule: { type: 'constant', warmup_ratio: 0 },
        },
        batch_size: work.batch,
        micro_batch_size: work.batch,
        max_steps: null,
        shuffle: false,
        seed: 1,
        snapshot: { every_steps: 1_000_000, keep: 1 },
        threads: Number(threads),
        folder,
        ...specOf(work),
      },
      { count: rows.length, get: (row) => rows[row]! },
      null,
      null,
      { onStep: (row) => onStep(row, work), onSnapshot() {}, onCheckpoint() {}, shouldStop: () => 'continue' },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** VmHWM of this process in MB. */
export const peakMegabytes = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
