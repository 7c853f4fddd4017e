import { existsSync } from 'node:fs';
import type { Provider } from '../provider.js';
import { cudaLibrary } from './library.js';
import { listSupportedBackends } from './onnxruntime.js';

/** Throws, naming the provider, where this installation lacks it. Whether there is a device for it shows when a session is made. */
export const requireProvider = (provider: Provider): void => {
  const there = provider === 'cuda' ? existsSync(cudaLibrary()) : listSupportedBackends().some(({ name }) => name === provider);
  if (!there) throw new Error(`execution provider "${provider}" is not part of this ONNX Runtime on ${process.platform}-${process.arch}`);
};
