import { webgpu } from '../../../tools/jest/webgpu.js';
import { expectDeviceState } from './device-state.js';

webgpu('tensors stay on the device from run to run', async () => {
  await expectDeviceState('webgpu');
});
