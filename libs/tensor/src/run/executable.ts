import { bindFeeds, type Feed, type RemoteTensor, type Tensor, type TensorData } from '../graph/feeds.js';
import type { DType } from '../graph/value.js';
import type { InputAttributes } from '../ops/leaves.js';
import { DeviceTensor } from './device-tensor.js';
import type { EngineSession, FedTensor } from './engine-session.js';
import type { GraphFace } from './graph-face.js';
import { outputPlaces } from './output-places.js';
import { releaseAll } from './release-all.js';
import { countTransfers } from './transfers.js';
import type { GraphSettings } from './written-graph.js';

/** A compiled graph in an ONNX Runtime session. One run at a time. */
export class Executable {
  readonly inputs: readonly InputAttributes[];
  readonly outputNames: readonly string[];
  readonly #outputs: GraphFace['outputs'];
  readonly #declared: ReadonlySet<string>;
  #session: EngineSession | null;
  readonly #settings: Pick<GraphSettings, 'provider' | 'inPlace'>;
  readonly #discard: () => Promise<void>;
  readonly #runs = new Set<Promise<unknown>>();

  constructor(
    session: EngineSession,
    { inputs, outputs, declared }: GraphFace,
    settings: Pick<GraphSettings, 'provider' | 'inPlace'>,
    discard: () => Promise<void> = () => Promise.resolve(),
  ) {
    this.#session = session;
    this.inputs = inputs;
    this.outputNames = Object.keys(outputs);
    this.#outputs = outputs;
    this.#declared = new Set(declared);
    this.#settings = settings;
    this.#discard = discard;
  }

  /**
   * One run: fed tensors are read in place and must not change until it ends; outputs are new buffers of their own. Float outputs are
   * Float32Array, i32 Int32Array, bool Uint8Array.
   * Throws where a feed is missing, unknown or of another dtype or shape. `fetch`: only these outputs (the whole graph
   * runs all the same). `into`: outputs that are written into these arrays instead; such an array may not be fed too, except to the
   * input that the output was compiled to take the place of. What is written into a device tensor is not among the results.
   */
  async run(
    feeds: Readonly<Record<string, Feed>>,
    fetch: readonly string[] = this.outputNames,
    into: Readonly<Record<string, TensorData | DeviceTensor>> = {},
  ): Promise<Record<string, Tensor>> {
    if (!this.#session) throw new Error('this executable was released');
    const { tensors: given, bindings } = bindFeeds(this.inputs, feeds, (name) => this.#declared.has(name));
    const fed = Object.fromEntries(this.inputs.map(({ name, dtype }) => [name, fedTensor(name, dtype, given[name]!)]));
    const { provider, inPlace = {} } = this.#settings;
    const places = outputPlaces({ outputs: this.#outputs, inPlace, fetch, into, fed, bindings });
    if (provider === 'webgpu') refuseEmpty({ ...fed, ...places });
    const going = this.#session.run(fed, places);
    this.#runs.add(going);
    const results = await going.finally(() => this.#runs.delete(going));
    const tensors = Object.fromEntries(Object.entries(results).map(([name, data]) => [name, { data, shape: places[name]!.shape }]));
    countTransfers(Object.values(fed), Object.values(tensors));
    return tensors;
  }

  /** New memory of the provider's for a tensor that stays there. Throws where the native interface cannot be had. */
  onDevice(dtype: DType, shape: readonly number[]): DeviceTensor {
    if (!this.#session) throw new Error('this executable was released');
    return this.#session.allocate(dtype, shape);
  }

  /**
   * Frees the session, its copies of weights and its threads, and removes its files: after the run that is under way, and, where tensors
   * were made by `onDevice`, with the last of them.
   */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await Promise.allSettled(this.#runs);
    await releaseAll([() => session?.release(), this.#discard]);
  }
}

const fedTensor = (name: string, dtype: DType, tensor: Tensor | RemoteTensor): FedTensor => {
  if ('data' in tensor) return { dtype, ...tensor };
  if (!(tensor instanceof DeviceTensor)) throw new Error(`feed "${name}" lies on a device of something else`);
  return { dtype, shape: tensor.shape, data: tensor };
};

/** Some of ONNX Runtime's WebGPU kernels end the process on tensors without elements. */
const refuseEmpty = (tensors: Readonly<Record<string, { readonly shape: readonly number[] }>>): void => {
  for (const [name, { shape }] of Object.entries(tensors)) {
    if (shape.includes(0)) throw new Error(`"${name}" [${shape.join(', ')}] has no elements: the provider webgpu cannot run on it`);
  }
};
