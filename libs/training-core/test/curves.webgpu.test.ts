import { webgpu } from '../../../tools/jest/webgpu.js';
import { expectDeviceTraining } from './device-training.js';

for (const adapter of ['full', 'lora'] as const)
  webgpu(
    `20 steps of two layers on WebGPU, state kept there: the CPU's curve, no copies, and a resume to the same losses, ${adapter}`,
    async () => {
      await expectDeviceTraining(adapter, 'webgpu', { curve: 1e-3, resumed: 1e-5 });
    },
  );
