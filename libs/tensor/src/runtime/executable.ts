import { bindFeeds, type Feed, inputsOf, type RemoteTensor, type Tensor, type TensorData } from '../graph/feeds.js';
import type { DType, Graph } from '../graph/value.js';
import type { Provider } from '../lowering/legalize.js';
import type { InputAttributes } from '../ops/leaves.js';
import { DeviceTensor } from './device-tensor.js';
import type { EngineSession, FedTensor } from './engine-session.js';
import { outputPlaces } from './output-places.js';
import { countTransfers } from './transfers.js';

interface Rest {
  readonly provider: Provider;
  readonly inPlace: Readonly<Record<string, string>>;
  /** Whether the source graph has an input of that name, though this one may not need it. */
  readonly declared: (name: string) => boolean;
  readonly discard: () => Promise<void>;
}

/** A compiled graph in an ONNX Runtime session. One run at a time. */
export class Executable {
  readonly inputs: readonly InputAttributes[];
  readonly outputNames: readonly string[];
  readonly #graph: Graph;
  #session: EngineSession | null;
  readonly #rest: Rest;

  constructor(session: EngineSession, graph: Graph, rest: Rest) {
    this.#session = session;
    this.#graph = graph;
    this.inputs = inputsOf(graph);
    this.outputNames = Object.keys(graph.outputs);
    this.#rest = rest;
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
    const { tensors: given, bindings } = bindFeeds(this.inputs, feeds, this.#rest.declared);
    const fed = Object.fromEntries(this.inputs.map(({ name, dtype }) => [name, fedTensor(name, dtype, given[name]!)]));
    const places = outputPlaces({ outputs: this.#graph.outputs, inPlace: this.#rest.inPlace, fetch, into, fed, bindings });
    if (this.#rest.provider === 'webgpu') refuseEmpty({ ...fed, ...places });
    const results = await this.#session.run(fed, places);
    const tensors = Object.fromEntries(Object.entries(results).map(([name, data]) => [name, { data, shape: places[name]!.shape }]));
    countTransfers(Object.values(fed), Object.values(tensors));
    return tensors;
  }

  /** New memory of the provider's for a tensor that stays there. Throws where the native interface cannot be had. */
  onDevice(dtype: DType, shape: readonly number[]): DeviceTensor {
    if (!this.#session) throw new Error('this executable was released');
    return this.#session.allocate(dtype, shape);
  }

  /** Frees the session, its copies of weights and its threads. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.release();
    await this.#rest.discard();
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
