import { skipUnless } from './skip-unless.js';
import { readTools } from './tools.js';

const { webgpuDriver } = readTools();
const reason = (): string => {
  if (!webgpuDriver) return 'WebGPU: no driver was looked for; run npm run test:webgpu';
  return 'reason' in webgpuDriver
    ? `WebGPU: ${webgpuDriver.reason}`
    : 'WebGPU: the driver is not in the environment; run npm run test:webgpu';
};

/** `test` where the software driver was found and this process was started with it: tools/webgpu.mjs. */
export const webgpu = skipUnless(process.env['VK_DRIVER_FILES'] !== undefined, reason());
