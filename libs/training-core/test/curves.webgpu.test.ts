import { expect } from '@jest/globals';
import { webgpu } from '../../../tools/jest/webgpu.js';
import { train } from '../src/loop/train.js';
import { expected, recording, relative, rowsOf, specOf } from './fixture.js';

for (const adapter of ['full', 'lora'] as const) {
  webgpu(`20 steps of two layers on WebGPU follow the CPU's curve, ${adapter}`, async () => {
    const curves = [];
    for (const provider of ['cpu', 'webgpu'] as const) {
      const hooks = recording();
      await train(await specOf('tiny-llama', adapter, { provider }), rowsOf(expected.rows), null, null, hooks);
      curves.push(hooks.rows.map((row) => row.train_loss));
    }
    const [cpu, gpu] = curves;
    expect(gpu).toHaveLength(20);
    for (const [step, loss] of gpu!.entries()) expect(relative(loss, cpu![step]!)).toBeLessThan(1e-3);
  });
}
