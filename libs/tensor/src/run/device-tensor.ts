import type { RemoteTensor } from '../graph/feeds.js';
import type { DType } from '../graph/value.js';
import type { Provider } from '../provider.js';
import { type Handle, ortApi } from './native/api.js';
import { isFree, oneAtATime } from './native/one-at-a-time.js';

/**
 * A tensor in the memory of a session's provider: fed to runs and written by them without leaving the device. Made by
 * `Executable.onDevice`; usable by every executable of that provider in this process. Its first contents are not defined.
 */
export class DeviceTensor implements RemoteTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly #provider: Provider;
  readonly #released: () => void;
  #value: Handle;

  /**
   * @param value an OrtValue that becomes this tensor's own
   * @param released told when its memory has been given back
   */
  constructor(dtype: DType, shape: readonly number[], value: Handle, provider: Provider, released: () => void) {
    this.dtype = dtype;
    this.shape = shape;
    this.#value = value;
    this.#provider = provider;
    this.#released = released;
  }

  get value(): Handle {
    if (this.#value === 0n) throw new Error('this device tensor was released');
    return this.#value;
  }

  /** Gives its memory back, once its device is free. No run may be using it. */
  release(): void {
    const value = this.#value;
    this.#value = 0n;
    if (value === 0n) return;
    const give = (): void => {
      ortApi().ReleaseValue(value);
      this.#released();
    };
    if (isFree(this.#provider)) give();
    else void oneAtATime(this.#provider, give);
  }
}
