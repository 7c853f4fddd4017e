import type { TrainingSpec } from '@tunefleet/training-core';

/** What both sides of every timed run use: AdamW at a constant rate, without decay, gradients clipped. The peers' scripts say the same in PyTorch. */
export const OPTIMIZER: TrainingSpec['optimizer'] = {
  type: 'adamw',
  learning_rate: 1e-4,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weight_decay: 0,
  max_grad_norm: 1,
  schedule: { type: 'constant', warmup_ratio: 0 },
};
