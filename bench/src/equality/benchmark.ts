import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BasePrecision } from '@tunefleet/models';
import { modelPackage } from '../../../tools/model-packages.mjs';
import { smolLm2Folder } from '../../../tools/smollm2-folder.mjs';
import { type Benchmark, DataAbsentError } from '../benchmark.js';
import { printRow } from '../compare.js';
import { peerPython } from '../peer-environment.js';
import { runSide } from '../side.js';
import { makeWork } from './work.js';

const OURS = fileURLToPath(new URL('ours.js', import.meta.url));
const PEER = fileURLToPath(new URL('../../peers/equality.py', import.meta.url));
/** PyTorch's losses on rows of this hash: what our side is held against where there is no Python. */
const recordOf = (precision: BasePrecision): string =>
  fileURLToPath(new URL(`../../equality/smollm2-135m-instruct${precision === 'int4' ? '-int4' : ''}.json`, import.meta.url));
const THREADS = '2';

interface Curve {
  losses: number[];
  /** Largest absolute errors against transformers in float64; of the side that ran last. */
  logits?: { largest: number; ours: number; transformers_float32: number };
}

interface Recorded extends Curve {
  rows_sha256: string;
}

/** 60 optimizer steps of LoRA on SmolLM2-135M-Instruct: the loss of each against PyTorch + PEFT, and logits against transformers in float64. */
export const equality: Benchmark = {
  name: 'equality',
  about:
    '60 LoRA steps of SmolLM2-135M-Instruct against PyTorch + PEFT, loss by loss; --int4: over its weights in 4-bit blocks; --record keeps theirs, for --ours-only',
  options: { record: { type: 'boolean' }, int4: { type: 'boolean' } },
  async run({ json, oursOnly, own: { record, int4 } }) {
    const { path, missing } = modelPackage('smolLm2');
    if (path === undefined) throw new DataAbsentError(missing);
    const model = await smolLm2Folder();
    const precision: BasePrecision = int4 === true ? 'int4' : 'float32';
    const python = oursOnly ? null : peerPython();
    const folder = mkdtempSync(join(tmpdir(), 'tunefleet-bench-'));
    try {
      const { sha256 } = await makeWork(model, folder);
      const args = [folder, model, THREADS, precision];
      const ours = (await runSide(process.execPath, [OURS, ...args])) as unknown as Curve;
      const peer = python === null ? recorded(recordOf(precision), sha256) : ((await runSide(python, [PEER, ...args])) as unknown as Curve);
      if (record === true && python !== null)
        writeFileSync(recordOf(precision), `${JSON.stringify({ rows_sha256: sha256, ...peer } satisfies Recorded, null, 1)}\n`);
      const differences = ours.losses.map((loss, step) => Math.abs(loss - peer.losses[step]!) / peer.losses[step]!);
      const row = {
        bench: 'equality',
        variant: `lora over ${precision}`,
        unit: 'largest relative difference of a loss',
        steps: differences.length,
        value: Math.max(...differences),
        first_loss: ours.losses[0],
        last_loss: ours.losses.at(-1),
        peer: python === null ? 'recorded' : 'PyTorch + transformers + PEFT',
        ...(peer.logits && python !== null ? { logits: peer.logits } : {}),
      };
      printRow(row, json);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function recorded(file: string, sha256: string): Recorded {
  const found = JSON.parse(readFileSync(file, 'utf8')) as Recorded;
  if (found.rows_sha256 !== sha256)
    throw new DataAbsentError('the tokenizer or the template is not that of the recorded run; run with Python');
  return found;
}
