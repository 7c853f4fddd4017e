import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The folder of ONNX Runtime's libraries for this platform, within the package that brings them. */
const folder = (): string => {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  return join(root, 'bin', 'napi-v6', process.platform, process.arch);
};

/** "libonnxruntime.so.1", "libonnxruntime.1.30.0.dylib", "onnxruntime.dll". */
const MAIN_LIBRARY = /^(libonnxruntime(\.so\.\d+|\.[\d.]+\.dylib)|onnxruntime\.dll)$/;

/** ONNX Runtime itself; throws where the package holds none for this platform. */
export const mainLibrary = (): string => {
  const name = existsSync(folder()) ? readdirSync(folder()).find((file) => MAIN_LIBRARY.test(file)) : undefined;
  if (name === undefined) throw new Error(`onnxruntime-node holds no library for ${process.platform}-${process.arch}`);
  return join(folder(), name);
};

/** CUDA's kernels are a library of their own that npm does not bring: an image layer puts it beside ONNX Runtime's. */
export const cudaLibrary = (): string =>
  join(folder(), process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so');
