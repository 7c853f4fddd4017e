import { type Bindings, elementCount, resolveDimension } from '../graph/dimension.js';
import { sizesOf, type Tensor } from '../graph/feeds.js';
import { type FrozenSource, type Graph, graphOf, type Value } from '../graph/value.js';
import { frozenOp, inputOp } from '../ops/leaves.js';
import { isMadeBy } from '../ops/primitive.js';
import { lower } from '../passes/lower.js';
import { requireThreads } from '../run/settings.js';
import { FLOAT_BYTES } from './kernel.js';
import { RowMemory } from './memory.js';
import { groupBytes, groupsOf } from './pack.js';
import { planRows, type RowProgram } from './program.js';
import { aligned, type PackedWeight, type RowWeight } from './steps.js';
import { RowThreads } from './threads.js';

export interface RowGraph {
  readonly outputs: Readonly<Record<string, Value>>;
  /** Values of dimension names that make every tensor one row. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Float32 inputs that are the same in every run. */
  readonly constants?: Readonly<Record<string, Tensor<Float32Array>>>;
}

/** A graph in an engine's memory. */
export interface RowExecutable {
  /**
   * Inputs whose size a run decides must lie in the engine's memory (`lend`); outputs of such a size take the place of an input. The others
   * are copied out. Runs of an engine wait for each other. Throws where a feed is missing or does not fit, or after a thread failed.
   */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor<Float32Array>>>;
  /** Call when no run is under way. */
  release(): void;
}

/**
 * Runs graphs of one row, as of a single new token, in WebAssembly, on threads of its own. Such a product uses each weight once, so that a
 * weight's bytes are its time: weights that are all bfloat16 numbers lie there in two bytes instead of four, which changes no result.
 * Results do not depend on the number of threads.
 */
export class RowEngine {
  readonly #memory = new RowMemory();
  readonly #threads: RowThreads;
  readonly #count: number;
  /** by name; graphs of one engine that name a weight alike mean the same */
  readonly #frozen = new Map<string, PackedWeight>();
  readonly #lent = new WeakSet<ArrayBufferLike>();
  #scratch = { at: 0, bytes: 0 };
  #programs = 0;
  #released = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ threads }: { threads: number }) {
    requireThreads(threads);
    this.#count = threads;
    this.#threads = new RowThreads(this.#memory.shared, threads);
  }

  /** Float32 elements in the engine's memory, with whatever they held before; null where it has no room (4 GiB in all). */
  lend(count: number): Promise<Float32Array | null> {
    return this.#inTurn(async () => {
      const at = this.#memory.lend(count * FLOAT_BYTES);
      return at === null ? null : this.#view(at, count);
    });
  }

  takeBack(lent: Float32Array): void {
    this.#memory.takeBack(lent.byteOffset, lent.byteLength);
  }

  holds(data: ArrayBufferView): boolean {
    return this.#lent.has(data.buffer);
  }

  /** Throws where a primitive cannot be computed for one row, by name; RangeError where memory ends. */
  compile({ outputs, sizes, constants = {} }: RowGraph): Promise<RowExecutable> {
    return this.#inTurn(() => this.#compile(lower(graphOf(outputs), 'cpu'), sizes, constants));
  }

  release(): Promise<void> {
    this.#released = true;
    return this.#threads.end();
  }

  async #compile(graph: Graph, sizes: RowGraph['sizes'], constants: NonNullable<RowGraph['constants']>): Promise<RowExecutable> {
    const known: Bindings = new Map([...sizesOf(graph, constants), ...Object.entries(sizes)]);
    const frozen = await this.#placeFrozen(graph);
    const given = constantsOf(graph, constants);
    const constantBytes = given.reduce((sum, { weight }) => sum + mostBytes(weight), 0);
    const asPlanned = (placed: ReadonlyMap<Value, PackedWeight>, at: number): RowProgram =>
      planRows(graph, { sizes: known, placed, at, threads: this.#count });
    // Planned twice: before memory is lent it is not known where, and the plan says how much.
    const unplaced = given.map(({ value }): [Value, PackedWeight] => [value, { at: 0, kind: 'f32' }]);
    const bytes = constantBytes + asPlanned(new Map([...frozen, ...unplaced]), 0).end;
    const at = this.#memory.lend(bytes);
    if (at === null) throw new RangeError(`${bytes} bytes more do not fit into a row engine's 4 GiB`);
    this.#view(at, bytes / FLOAT_BYTES).fill(0);
    const packed = await this.#pack(
      given.map(({ weight }) => weight),
      at,
    );
    const placed = given.map(({ value }, index): [Value, PackedWeight] => [value, packed.places[index]!]);
    const plan = asPlanned(new Map([...frozen, ...placed]), at + constantBytes);
    const program = this.#programs++;
    this.#threads.tell({ type: 'keep', program, steps: plan.steps });
    return {
      run: (feeds) => this.#inTurn(() => this.#run(program, plan, graph, feeds)),
      release: () => {
        if (this.#released) return;
        this.#threads.tell({ type: 'forget', program });
        this.#memory.takeBack(at, bytes);
      },
    };
  }

  async #run(
    program: number,
    plan: RowProgram,
    graph: Graph,
    feeds: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor<Float32Array>>> {
    const fed = (name: string): Tensor => {
      const feed = feeds[name];
      if (!feed) throw new Error(`input "${name}" was not fed`);
      return feed;
    };
    for (const [name, { at, count }] of Object.entries(plan.fed)) {
      const { data } = fed(name);
      if (data.length !== count) throw new Error(`feed "${name}" has ${data.length} elements, not ${count}`);
      const Elements = data.constructor as typeof Int32Array;
      new Elements(this.#memory.shared.buffer, at, count).set(data);
    }
    const sizes = sizesOf(graph, feeds);
    const given = plan.given.map((entry) => {
      if ('own' in entry) return entry;
      if ('size' in entry) return resolveDimension(entry.size, sizes);
      const { data, shape } = fed(entry.input);
      if (!this.holds(data)) throw new Error(`feed "${entry.input}" lies outside the engine's memory`);
      if (data.length !== elementCount(shape))
        throw new Error(`feed "${entry.input}" has ${data.length} elements, not ${shape.join(' x ')}`);
      return data.byteOffset;
    });
    const longest = Math.max(
      0,
      ...plan.scratch.map((dimension) => (typeof dimension === 'number' ? dimension : resolveDimension(dimension, sizes))),
    );
    await this.#threads.ask({ type: 'run', program, given, scratch: this.#scratchOf(aligned(longest * FLOAT_BYTES)) });
    const copied = ({ at, count, shape }: RowProgram['outputs'][string]) => ({ data: this.#view(at, count).slice(), shape });
    return Object.fromEntries(Object.entries(plan.outputs).map(([name, output]) => [name, copied(output)]));
  }

  /** Weights that no graph before had are read, packed, and stay. */
  async #placeFrozen(graph: Graph): Promise<[Value, PackedWeight][]> {
    const frozen = graph.values.flatMap((value) => (isMadeBy(value, frozenOp) ? [{ value, ...value.attributes }] : []));
    const missing = frozen.filter(({ name }) => !this.#frozen.has(name));
    const { places, end } = await this.#pack(
      missing.map(({ source, shape }) => ({ source: standAlone(source), shape })),
      this.#memory.end,
    );
    this.#memory.laidDown(end);
    missing.forEach(({ name }, index) => {
      this.#frozen.set(name, places[index]!);
    });
    return frozen.map(({ value, name }) => [value, this.#frozen.get(name)!]);
  }

  async #pack(weights: readonly RowWeight[], at: number): Promise<{ places: readonly PackedWeight[]; end: number }> {
    const answer = await this.#threads.ask({ type: 'pack', weights, at });
    if (answer.type !== 'packed') throw new Error(`a thread of row programs answered ${answer.type} to pack`);
    return answer;
  }

  /** Bytes of its own for each thread. */
  #scratchOf(bytes: number): { at: number; bytes: number } {
    if (bytes > this.#scratch.bytes) {
      const at = this.#memory.lend(bytes * this.#count);
      if (at === null) throw new RangeError(`${bytes * this.#count} bytes more do not fit into a row engine's 4 GiB`);
      if (this.#scratch.bytes > 0) this.#memory.takeBack(this.#scratch.at, this.#scratch.bytes * this.#count);
      this.#scratch = { at, bytes };
    }
    return this.#scratch;
  }

  #view(at: number, count: number): Float32Array {
    const { buffer } = this.#memory.shared;
    this.#lent.add(buffer);
    return new Float32Array(buffer, at, count);
  }

  /** One after the other: threads have one program at a time, and weights are laid down where nothing was lent in between. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

const constantsOf = (graph: Graph, constants: NonNullable<RowGraph['constants']>): { value: Value; weight: RowWeight }[] =>
  graph.values.flatMap((value) => {
    const tensor = isMadeBy(value, inputOp) ? constants[value.attributes.name] : undefined;
    return tensor ? [{ value, weight: { source: standAlone({ data: tensor.data }), shape: tensor.shape } }] : [];
  });

/** A message takes the whole buffer of a part with it. */
const standAlone = (source: FrozenSource): FrozenSource =>
  'data' in source && source.data.byteLength < source.data.buffer.byteLength ? { data: source.data.slice() } : source;

/** What a weight takes as float32. */
const mostBytes = ({ shape }: RowWeight): number =>
  aligned(shape.length === 2 ? groupsOf(shape[0]!) * groupBytes('f32', shape[1]!) : FLOAT_BYTES * shape.reduce((a, b) => a * b, 1));
