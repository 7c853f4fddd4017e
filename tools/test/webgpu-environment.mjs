import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTools } from '../setup/cache.mjs';

/**
 * Variables by which a child process finds the software driver that set-up fetched: the loader reads them as it starts. None where there
 * is no driver.
 */
export const webgpuEnvironment = () => {
  const driver = readTools().webgpuDriver;
  if (!driver?.folder) return {};
  const manifest = join(driver.folder, driver.manifest);
  const libraries = [driver.folder, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  // VK_ICD_FILENAMES is the older name of VK_DRIVER_FILES. The loader wants a folder of the user's own, which stays empty.
  const own = process.env.XDG_RUNTIME_DIR ?? mkdtempSync(join(tmpdir(), 'tunefleet-webgpu-'));
  return { VK_ICD_FILENAMES: manifest, VK_DRIVER_FILES: manifest, LD_LIBRARY_PATH: libraries, XDG_RUNTIME_DIR: own };
};
