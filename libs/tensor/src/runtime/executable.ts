import { type InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { bindFeeds, type Feed, inputsOf, type Tensor, type TensorData } from '../graph/feeds.js';
import type { DType, Graph } from '../graph/value.js';
import type { InputAttributes } from '../ops/leaves.js';

const ORT_TYPE: Readonly<Record<DType, 'float32' | 'int32' | 'bool' | 'uint4'>> = {
  f32: 'float32',
  i32: 'int32',
  bool: 'bool',
  i4: 'uint4',
};

/** A compiled graph in an ONNX Runtime session. A run blocks the calling thread until it is done. */
export class Executable {
  readonly inputs: readonly InputAttributes[];
  readonly outputNames: readonly string[];
  #session: InferenceSession | null;
  readonly #declared: (name: string) => boolean;
  readonly #discard: () => Promise<void>;

  constructor(session: InferenceSession, graph: Graph, declared: (name: string) => boolean, discard: () => Promise<void>) {
    this.#session = session;
    this.inputs = inputsOf(graph);
    this.outputNames = Object.keys(graph.outputs);
    this.#declared = declared;
    this.#discard = discard;
  }

  /**
   * One run: fed tensors are read in place, outputs are new buffers of their own. Float outputs are Float32Array, i32 Int32Array, bool Uint8Array.
   * Throws where a feed is missing, unknown or of another dtype or shape. `fetch`: copy out only these outputs (the
   * whole graph runs all the same).
   */
  async run(feeds: Readonly<Record<string, Feed>>, fetch: readonly string[] = this.outputNames): Promise<Record<string, Tensor>> {
    if (!this.#session) throw new Error('this executable was released');
    const { tensors } = bindFeeds(this.inputs, feeds, this.#declared);
    const fed = Object.fromEntries(
      this.inputs.map(({ name, dtype }) => {
        const { data, shape } = tensors[name]!;
        return [name, new OrtTensor(ORT_TYPE[dtype], data, shape)];
      }),
    );
    const results = await this.#session.run(fed, fetch);
    return Object.fromEntries(fetch.map((name) => [name, { data: results[name]!.data as TensorData, shape: results[name]!.dims }]));
  }

  /** Frees the session, its copies of weights and its threads. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.release();
    await this.#discard();
  }
}
