import type { Benchmark } from '../benchmark.js';
import { compareSteps } from '../llama-step/compare-steps.js';

export const fullStep: Benchmark = {
  name: 'full-step',
  about: 'full tuning of a SmolLM2-135M shape, [--tokens 512] all trained on, against PyTorch, 2 threads, 3 rounds',
  options: { tokens: { type: 'string' } },
  run: (options) => compareSteps('full-step', 'full', options),
};
