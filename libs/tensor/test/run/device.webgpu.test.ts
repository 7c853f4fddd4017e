import { expect } from '@jest/globals';
import { webgpu } from '../../../../tools/jest/webgpu.js';
import { add, chooseProvider, compile, GraphBuilder, matmul } from '../../src/index.js';
import { expectDeviceState } from './device-state.js';

webgpu('tensors stay on the device from run to run', async () => {
  await expectDeviceState('webgpu');
});

webgpu('auto does not take WebGPU on a software adapter, and names it', async () => {
  const { provider, reason } = await chooseProvider('auto');
  if (provider === 'cuda') return;
  expect(provider).toBe('cpu');
  expect(reason).toMatch(/no webgpu \(its adapter is software: SwiftShader/);
});

// Two at once end the process in ONNX Runtime's own code: the runs of a test that ran out of time went on beside the next one's.
webgpu('what is asked of the device while it works is done afterwards, and memory is refused', async () => {
  const n = 128;
  const graph = () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'f32', [n, n]);
    return compile({ outputs: { y: add(matmul(x, x), 1) }, provider: 'webgpu' });
  };
  const [a, b] = [await graph(), await graph()];
  const x = new Float32Array(n * n).fill(1);
  for (let round = 0; round < 20; round++) {
    const tensor = a.onDevice('f32', [n, n]);
    const opened = graph();
    const runs = [a.run({ x }), b.run({ x }), a.run({ x }), b.run({ x })];
    expect(() => b.onDevice('f32', [n])).toThrow(/device of webgpu is at work/);
    tensor.release();
    await (await opened).release();
    for (const { y } of await Promise.all(runs)) expect(y!.data[n]).toBe(n + 1);
  }
  await Promise.all([a.release(), b.release()]);
});
