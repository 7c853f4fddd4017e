import type { TensorData } from '../graph/feeds.js';
import type { DType } from '../graph/value.js';
import type { DeviceTensor } from './device-tensor.js';

/** A tensor as a session reads it. */
export interface FedTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData | DeviceTensor;
}

/** Where a session puts an output: into memory that is there, or (null) into new memory. */
export interface OutputPlace {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData | DeviceTensor | null;
}

/** A session of ONNX Runtime, in whichever way it is spoken to. Feeds and outputs were checked against the graph before. */
export interface EngineSession {
  /** One run at a time. Returns, of each output, the data of its place or the new data; none for what stays on the device. */
  run(feeds: Readonly<Record<string, FedTensor>>, outputs: Readonly<Record<string, OutputPlace>>): Promise<Record<string, TensorData>>;
  /** New memory of the provider; throws where this interface has no way to. */
  allocate(dtype: DType, shape: readonly number[]): DeviceTensor;
  release(): Promise<void>;
}
