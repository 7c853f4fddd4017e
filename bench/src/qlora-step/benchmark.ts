import type { Benchmark } from '../benchmark.js';
import { compareSteps } from '../llama-step/compare-steps.js';

export const qloraStep: Benchmark = {
  name: 'qlora-step',
  about:
    "LoRA r=8 over a 4-bit base of SmolLM2-135M's shape, layers recomputed, [--tokens 512], against PyTorch + PEFT in float32, 2 threads, [--rounds 3]",
  options: { tokens: { type: 'string' }, rounds: { type: 'string' } },
  run: (options) => compareSteps('qlora-step', 'qlora', { ...options, own: { ...options.own, lean: true } }),
};
