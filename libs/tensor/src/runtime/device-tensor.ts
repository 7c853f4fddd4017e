import type { RemoteTensor } from '../graph/feeds.js';
import type { DType } from '../graph/value.js';
import { type Handle, ortApi } from './native/api.js';

/**
 * A tensor in the memory of a session's provider: fed to runs and written by them without leaving the device. Made by `Executable.onDevice`;
 * usable by every executable of that provider in this process. Its first contents are not defined.
 */
export class DeviceTensor implements RemoteTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  #value: Handle;

  /** @param value an OrtValue that becomes this tensor's own */
  constructor(dtype: DType, shape: readonly number[], value: Handle) {
    this.dtype = dtype;
    this.shape = shape;
    this.#value = value;
  }

  get value(): Handle {
    if (this.#value === 0n) throw new Error('this device tensor was released');
    return this.#value;
  }

  /** Gives its memory back. No run may be using it. */
  release(): void {
    if (this.#value !== 0n) ortApi().ReleaseValue(this.#value);
    this.#value = 0n;
  }
}
