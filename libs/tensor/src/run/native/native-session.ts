import { ONNX_TYPE } from '../../emit/emitter.js';
import type { TensorData } from '../../graph/feeds.js';
import type { DType } from '../../graph/value.js';
import type { Provider } from '../../provider.js';
import { DeviceTensor } from '../device-tensor.js';
import { newData } from '../element-types.js';
import type { EngineSession, FedTensor, OutputPlace } from '../engine-session.js';
import type { ResolvedSettings } from '../settings.js';
import { type Handle, ortApi } from './api.js';
import { memoryOf } from './device-memory.js';
import { reuseLargeBlocks } from './large-blocks.js';
import { isFree, oneAtATime } from './one-at-a-time.js';

// Enumerations of onnxruntime_c_api.h.
const SEQUENTIAL = 0;
const OPTIMIZATION = { none: 0, all: 99 } as const;
const ONLY_ERRORS = 3;

const appendProvider = (options: Handle, provider: Provider): void => {
  const api = ortApi();
  if (provider === 'cuda') api.appendCuda(options);
  // No options: their two arrays are null.
  if (provider === 'webgpu') api.SessionOptionsAppendExecutionProvider(options, 'WebGPU', 0n, 0n, 0);
};

const makeOptions = ({ provider, threads, entries, profile, optimization, saveTo }: ResolvedSettings): Handle => {
  const api = ortApi();
  const options = api.CreateSessionOptions();
  try {
    api.SetSessionExecutionMode(options, SEQUENTIAL);
    api.SetSessionGraphOptimizationLevel(options, OPTIMIZATION[optimization]);
    if (saveTo !== null) api.SetOptimizedModelFilePath(options, saveTo);
    api.DisableMemPattern(options);
    api.SetIntraOpNumThreads(options, threads);
    api.SetInterOpNumThreads(options, 1);
    api.SetSessionLogSeverityLevel(options, ONLY_ERRORS);
    if (profile !== null) api.EnableProfiling(options, profile);
    for (const [key, value] of Object.entries(entries)) api.AddSessionConfigEntry(options, key, value);
    appendProvider(options, provider);
    return options;
  } catch (error) {
    api.ReleaseSessionOptions(options);
    throw error;
  }
};

let environment: Handle | undefined;

const openSession = async (path: string, settings: ResolvedSettings): Promise<Handle> => {
  const api = ortApi();
  // ONNX Runtime has one environment a process and counts who uses it.
  environment ??= api.CreateEnv(ONLY_ERRORS, 'tunefleet');
  const options = makeOptions(settings);
  // A kept graph, whose weights are packed one after the other to find what its file has, and freed.
  if (settings.optimization === 'none') reuseLargeBlocks();
  try {
    return await api.open(environment, path, options);
  } finally {
    api.ReleaseSessionOptions(options);
  }
};

/** A session by ONNX Runtime's C interface: outputs are written where they are wanted, and runs leave the event loop free. */
export class NativeSession implements EngineSession {
  readonly #provider: Provider;
  #session: Handle;
  #allocator: Handle | undefined;
  /** In memory of its allocator, not released yet. */
  #tensors = 0;
  #isReleased = false;

  private constructor(provider: Provider, session: Handle) {
    this.#provider = provider;
    this.#session = session;
  }

  static async open(path: string, settings: ResolvedSettings): Promise<NativeSession> {
    return new NativeSession(settings.provider, await oneAtATime(settings.provider, () => openSession(path, settings)));
  }

  allocate(dtype: DType, shape: readonly number[]): DeviceTensor {
    const api = ortApi();
    if (!isFree(this.#provider)) throw new Error(`the device of ${this.#provider} is at work: memory is to be asked of it before or after`);
    this.#allocator ??= api.CreateAllocator(this.#session, memoryOf(this.#provider));
    const value = api.CreateTensorAsOrtValue(this.#allocator, BigInt64Array.from(shape, BigInt), shape.length, ONNX_TYPE[dtype]);
    this.#tensors++;
    return new DeviceTensor(dtype, shape, value, this.#provider, () => {
      this.#tensors--;
      this.#free();
    });
  }

  run(feeds: Readonly<Record<string, FedTensor>>, outputs: Readonly<Record<string, OutputPlace>>): Promise<Record<string, TensorData>> {
    return oneAtATime(this.#provider, () => this.#run(feeds, outputs));
  }

  release(): Promise<void> {
    return oneAtATime(this.#provider, () => {
      this.#isReleased = true;
      this.#free();
    });
  }

  /** With its last tensor: the memory that tensors lie in is the session's, and so is what gives it back. */
  #free(): void {
    if (!this.#isReleased || this.#tensors > 0 || this.#session === 0n) return;
    const api = ortApi();
    if (this.#allocator !== undefined) api.ReleaseAllocator(this.#allocator);
    api.ReleaseSession(this.#session);
    this.#session = 0n;
  }

  async #run(
    feeds: Readonly<Record<string, FedTensor>>,
    outputs: Readonly<Record<string, OutputPlace>>,
  ): Promise<Record<string, TensorData>> {
    const api = ortApi();
    // The arrays beside their handles: ONNX Runtime reads and writes them until the run has ended, so they must stay.
    const made: { value: Handle; data: TensorData }[] = [];
    const valueOfData = (dtype: DType, shape: readonly number[], data: TensorData | DeviceTensor): Handle => {
      if (data instanceof DeviceTensor) return data.value;
      const value = api.CreateTensorWithDataAsOrtValue(
        memoryOf('cpu'),
        data,
        data.byteLength,
        BigInt64Array.from(shape, BigInt),
        shape.length,
        ONNX_TYPE[dtype],
      );
      made.push({ value, data });
      return value;
    };
    const results: Record<string, TensorData> = {};
    const binding = api.CreateIoBinding(this.#session);
    try {
      for (const [name, { dtype, shape, data }] of Object.entries(feeds)) api.BindInput(binding, name, valueOfData(dtype, shape, data));
      for (const [name, { dtype, shape, data }] of Object.entries(outputs)) {
        const target = data ?? newData(dtype, shape);
        if (!(target instanceof DeviceTensor)) results[name] = target;
        api.BindOutput(binding, name, valueOfData(dtype, shape, target));
      }
      await api.run(this.#session, binding);
      return results;
    } finally {
      api.ReleaseIoBinding(binding);
      for (const { value } of made) api.ReleaseValue(value);
    }
  }
}
