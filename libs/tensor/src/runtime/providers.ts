import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { listSupportedBackends } from 'onnxruntime-node';
import type { Provider } from '../lowering/legalize.js';

/** CUDA's kernels are a library of their own that npm does not bring: an image layer puts it beside ONNX Runtime's. */
const cudaLibrary = (): string => {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const name = process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so';
  return join(root, 'bin', 'napi-v6', process.platform, process.arch, name);
};

/** Throws, naming the provider, where this installation lacks it. Whether there is a device for it shows when a session is made. */
export const requireProvider = (provider: Provider): void => {
  const there = provider === 'cuda' ? existsSync(cudaLibrary()) : listSupportedBackends().some(({ name }) => name === provider);
  if (!there) throw new Error(`execution provider "${provider}" is not part of this ONNX Runtime on ${process.platform}-${process.arch}`);
};
