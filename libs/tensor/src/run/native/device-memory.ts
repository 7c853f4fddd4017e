import type { Provider } from '../../provider.js';
import type { Handle } from './api.js';
import { ortApi } from './api.js';

// OrtAllocatorType and OrtMemType of onnxruntime_c_api.h.
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

/** ONNX Runtime's names of memories, by the provider that computes in them. */
const MEMORY: Readonly<Record<Provider, string>> = { cpu: 'Cpu', webgpu: 'WebGPU_Buffer', cuda: 'Cuda' };

const known = new Map<Provider, Handle>();

/** Describes the memory that a provider computes in; one for the process. */
export const memoryOf = (provider: Provider): Handle => {
  const made = known.get(provider) ?? ortApi().CreateMemoryInfo(MEMORY[provider], DEVICE_ALLOCATOR, 0, DEFAULT_MEMORY);
  known.set(provider, made);
  return made;
};
