import koffi, { type LibraryHandle } from 'koffi';

/** koffi calls on stacks of its own, by default of 128 KiB off the main thread: kernels of ONNX Runtime need more. Bytes; its largest. */
const STACK = 16 << 20;

/** A library of the system or beside the package; throws where it cannot be loaded. */
export const loadLibrary = (path: string): LibraryHandle => {
  // Only before the first library: with several copies of this module in a process (tests), another one has done it.
  if (koffi.config().async_stack_size !== STACK) koffi.config({ sync_stack_size: STACK, async_stack_size: STACK });
  return koffi.load(path);
};
