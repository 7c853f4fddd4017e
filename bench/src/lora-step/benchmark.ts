import type { Benchmark } from '../benchmark.js';
import { compareSteps } from '../llama-step/compare-steps.js';

export const loraStep: Benchmark = {
  name: 'lora-step',
  about:
    'LoRA r=8 on all linears of a SmolLM2-135M shape, [--tokens 512] all trained on, [--lean] in little memory, against PyTorch + PEFT, 2 threads, 3 rounds',
  options: { tokens: { type: 'string' }, lean: { type: 'boolean' } },
  run: (options) => compareSteps('lora-step', 'lora', options),
};
