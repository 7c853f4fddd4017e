import type { Provider } from '../../provider.js';

// All sessions of WebGPU in a process share one device, and ONNX Runtime does not guard it: what another thread does to it while a run is
// under way ends the process with SIGSEGV (microsoft/onnxruntime 32561). Runs are on threads of their own, so that order is kept here.
let last: Promise<unknown> = Promise.resolve();
let begun = 0;

/** Does work on a provider's device: on WebGPU after all that was asked of it before. */
export const oneAtATime = <Result>(provider: Provider, work: () => Result | Promise<Result>): Promise<Result> => {
  if (provider !== 'webgpu') return (async () => work())();
  begun++;
  const done = last.then(work).finally(() => {
    begun--;
  });
  last = done.catch(() => undefined);
  return done;
};

/** Whether work on its device may be done at once, on this thread. */
export const isFree = (provider: Provider): boolean => provider !== 'webgpu' || begun === 0;
