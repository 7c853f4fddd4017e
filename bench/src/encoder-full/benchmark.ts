import { fileURLToPath } from 'node:url';
import { encoderBenchmark } from '../encoder.js';

const BATCH = 32;
const STEPS = 20;
const WARM_UP = 5;

export const encoderFull = encoderBenchmark({
  name: 'encoder-full',
  variant: 'MiniLM, SST-2, batch 32',
  unit: 'examples/s',
  about: 'full tuning of MiniLM as a classifier on SST-2, batches of 32, against PyTorch + transformers padding each batch',
  higher: true,
  rounds: 3,
  rows: BATCH * STEPS,
  settings: { batch: BATCH, rate: 2e-5, warm_up: WARM_UP },
  ours: fileURLToPath(new URL('ours.js', import.meta.url)),
  peer: fileURLToPath(new URL('../../peers/encoder_full.py', import.meta.url)),
});
