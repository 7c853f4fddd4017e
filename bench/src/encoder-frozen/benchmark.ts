import { fileURLToPath } from 'node:url';
import { encoderBenchmark } from '../encoder.js';

const BATCH = 32;
/** A part of SST-2, so that PyTorch's ten epochs end within a minute and a half. More rows are in our favour: loading, compiling and ten checkpoints cost the same. */
const ROWS = 22 * BATCH;

export const encoderFrozen = encoderBenchmark({
  name: 'encoder-frozen',
  variant: 'MiniLM, SST-2, frozen backbone, new head, 10 epochs',
  unit: 's',
  about: 'a new head on a frozen MiniLM, 10 epochs, whole run, against PyTorch + transformers running the backbone in every epoch',
  higher: false,
  rounds: 2,
  rows: ROWS,
  settings: { batch: BATCH, rate: 1e-3, epochs: 10 },
  ours: fileURLToPath(new URL('ours.js', import.meta.url)),
  peer: fileURLToPath(new URL('../../peers/encoder_frozen.py', import.meta.url)),
});
