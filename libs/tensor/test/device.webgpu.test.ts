import { expect } from '@jest/globals';
import { webgpu } from '../../../tools/jest/webgpu.js';
import { chooseProvider } from '../src/index.js';
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
