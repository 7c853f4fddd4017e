import { bindFeeds, type Feed, inputsOf, type Tensor, type TensorData } from '../graph/feeds.js';
import type { Graph } from '../graph/value.js';
import type { InputAttributes } from '../ops/leaves.js';
import type { EngineSession } from './engine-session.js';
import { outputPlaces } from './output-places.js';

/** A compiled graph in an ONNX Runtime session. One run at a time. */
export class Executable {
  readonly inputs: readonly InputAttributes[];
  readonly outputNames: readonly string[];
  readonly #graph: Graph;
  #session: EngineSession | null;
  readonly #inPlace: Readonly<Record<string, string>>;
  readonly #declared: (name: string) => boolean;
  readonly #discard: () => Promise<void>;

  constructor(
    session: EngineSession,
    graph: Graph,
    rest: { inPlace: Readonly<Record<string, string>>; declared: (name: string) => boolean; discard: () => Promise<void> },
  ) {
    this.#session = session;
    this.#graph = graph;
    this.inputs = inputsOf(graph);
    this.outputNames = Object.keys(graph.outputs);
    this.#inPlace = rest.inPlace;
    this.#declared = rest.declared;
    this.#discard = rest.discard;
  }

  /**
   * One run: fed tensors are read in place and must not change until it ends; outputs are new buffers of their own. Float outputs are
   * Float32Array, i32 Int32Array, bool Uint8Array.
   * Throws where a feed is missing, unknown or of another dtype or shape. `fetch`: only these outputs (the whole graph
   * runs all the same). `into`: outputs that are written into these arrays instead; such an array may not be fed too, except to the
   * input that the output was compiled to take the place of.
   */
  async run(
    feeds: Readonly<Record<string, Feed>>,
    fetch: readonly string[] = this.outputNames,
    into: Readonly<Record<string, TensorData>> = {},
  ): Promise<Record<string, Tensor>> {
    if (!this.#session) throw new Error('this executable was released');
    const { tensors, bindings } = bindFeeds(this.inputs, feeds, this.#declared);
    const fed = Object.fromEntries(this.inputs.map(({ name, dtype }) => [name, { dtype, ...tensors[name]! }]));
    const places = outputPlaces({ outputs: this.#graph.outputs, inPlace: this.#inPlace, fetch, into, fed: tensors, bindings });
    const results = await this.#session.run(fed, places);
    return Object.fromEntries(fetch.map((name) => [name, { data: results[name] as TensorData, shape: places[name]!.shape }]));
  }

  /** Frees the session, its copies of weights and its threads. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = null;
    await session?.release();
    await this.#discard();
  }
}
