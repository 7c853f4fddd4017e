import {
  add,
  compile,
  concat,
  countWork,
  dequantize,
  engineIdentity,
  GraphBuilder,
  gather,
  graphOf,
  linear,
  lower,
  matmul,
  OPERATOR_CLASSES,
  type OperatorClass,
  quantizeInt4,
  reduceMax,
  releaseTensors,
  slice,
  softmax,
  type Value,
} from '@tunefleet/tensor';
import { initAdamW, updateAdamW } from '../optimizers/adamw.js';
import { globalNorm } from '../optimizers/clipping.js';

/** What this machine does in a second: work of each operator class, and trained numbers updated. */
export interface Rates extends Readonly<Record<OperatorClass, number>> {
  readonly update: number;
}

/** Sizes as a layer of a small model over 512 tokens has them. */
const [TOKENS, HIDDEN, INNER, RANK, GROUPS, HEAD] = [512, 576, 1536, 8, 3, 64];
/** Rows of one head: of a text of 1,024 tokens and 12 heads. */
const ROWS = 12_288;
/** How long (ms) each is run again and again: the median counts, so that a disturbed run does not. */
const RUN_FOR = 80;
/** Sessions in which each is measured; the fastest counts: in one the system may keep both threads on one processor, which makes a rate of a third. */
const ROUNDS = 2;

const input = (g: GraphBuilder, name: string, ...shape: number[]): Value => g.input(name, 'f32', shape);
const frozen = (g: GraphBuilder, name: string, rows: number, columns: number): Value =>
  g.frozen(name, [rows, columns], { data: new Float32Array(rows * columns).fill(1 / INNER) });

const times = (count: number, x: Value, apply: (x: Value) => Value): Value => Array.from({ length: count }).reduce<Value>(apply, x);
/** One number that depends on all of them. */
const largest = (values: readonly Value[]): Value => values.map((value) => reduceMax(value)).reduce((a, b) => add(a, b));

/** As often as it takes for a run to last; `name` makes inputs of each its own, or they would be one. */
const copies = (count: number, make: (name: (input: string) => string) => Value[]): Value[] =>
  Array.from({ length: count }, (_, copy) => make((name) => `${name}.${copy}`)).flat();

/** Operators of each class, of sizes that training has and in the forms that its passes leave. */
const SAMPLES: Readonly<Record<OperatorClass, (g: GraphBuilder) => Value[]>> = {
  product: (g) => {
    const [up, down] = [frozen(g, 'up', INNER, HIDDEN), frozen(g, 'down', HIDDEN, INNER)];
    return [times(3, input(g, 'x', TOKENS, HIDDEN), (x) => matmul(matmul(x, up, { transB: true }), down, { transB: true }))];
  },
  // Forward and backward pass of a block of queries.
  headProduct: (g) =>
    copies(2, (name) => {
      const q = input(g, name('q'), GROUPS, (TOKENS * 3) / 4, HEAD);
      const [k, v] = [input(g, name('k'), GROUPS, TOKENS, HEAD), input(g, name('v'), GROUPS, TOKENS, HEAD)];
      const scores = matmul(q, k, { transB: true });
      const attended = matmul(scores, v);
      const ofScores = matmul(attended, v, { transB: true });
      return [matmul(scores, attended, { transA: true }), matmul(ofScores, k), matmul(ofScores, q, { transA: true })];
    }),
  // LoRA of a linear, forward and backward.
  thinProduct: (g) =>
    copies(4, (name) => {
      const [x, y] = [input(g, name('x'), TOKENS, HIDDEN), input(g, name('y'), TOKENS, INNER)];
      const [a, b] = [input(g, name('a'), RANK, HIDDEN), input(g, name('b'), INNER, RANK)];
      const inner = matmul(x, a, { transB: true });
      const adapted = add(matmul(inner, b, { transB: true }), y);
      const ofInner = matmul(adapted, b);
      return [add(matmul(ofInner, a), x), matmul(ofInner, x, { transA: true }), matmul(adapted, inner, { transA: true })];
    }),
  int4Product: (g) => {
    const [up, down] = [inFourBits(g, 'up', INNER, HIDDEN), inFourBits(g, 'down', HIDDEN, INNER)];
    return [times(2, input(g, 'x', TOKENS, HIDDEN), (x) => linear(linear(x, up), down))];
  },
  elementwise: (g) => [times(8, input(g, 'x', 2 * TOKENS, INNER), (x) => add(x, input(g, `y${x.id}`, 2 * TOKENS, INNER)))],
  movement: (g) => {
    const halves = (x: Value): [Value, Value] => [slice(x, 0, ROWS / 2, ROWS), slice(x, 0, 0, ROWS / 2)];
    return [times(3, input(g, 'x', ROWS, HEAD), (x) => concat(halves(gather(x, g.input(`ids${x.id}`, 'i32', [ROWS]))), 0))];
  },
  transcendental: (g) => [times(4, input(g, 'x', 4 * TOKENS, TOKENS), softmax)],
  dequantized: (g) => {
    const after = input(g, 'x', 1);
    return ['a', 'b', 'c'].map((name) => dequantize(inFourBits(g, name, HIDDEN, INNER), after));
  },
};

/** A matrix in 4-bit blocks. */
const inFourBits = (g: GraphBuilder, name: string, rows: number, columns: number): Value => {
  const { codes, scales } = quantizeInt4(new Float32Array(rows * columns).fill(1 / INNER), rows, columns);
  return g.frozenInt4(name, [rows, columns], { codes: { data: codes }, scales: { data: scales } });
};

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function rateOf(kind: OperatorClass, threads: number): Promise<number> {
  const outputs = { largest: largest(SAMPLES[kind](new GraphBuilder())) };
  const executable = await compile({ outputs, threads, spinning: true });
  const feeds = Object.fromEntries(
    executable.inputs.map(({ name, dtype, shape }) => {
      const length = shape.reduce<number>((a, b) => a * Number(b), 1);
      return [name, dtype === 'f32' ? new Float32Array(length).fill(0.5) : new Int32Array(length)];
    }),
  );
  const seconds = await medianSeconds(async () => {
    const results = await executable.run(feeds);
    releaseTensors(Object.values(results));
  });
  await executable.release();
  return countWork(lower(graphOf(outputs), 'cpu'), new Map())[kind] / seconds;
}

/** Of runs after the first, which also makes the arena and compiles what is called. */
async function medianSeconds(run: () => Promise<void> | void): Promise<number> {
  await run();
  const seconds: number[] = [];
  for (const end = performance.now() + RUN_FOR; seconds.length === 0 || performance.now() < end; ) {
    const begin = performance.now();
    await run();
    seconds.push((performance.now() - begin) / 1000);
  }
  return median(seconds);
}

/** Whether something that was kept is rates, of the classes that there are now. */
export const isRates = (kept: unknown): kept is Rates =>
  typeof kept === 'object' &&
  kept !== null &&
  [...OPERATOR_CLASSES, 'update'].every((kind) => ((kept as Record<string, unknown>)[kind]! as number) > 0);

async function updateRate(): Promise<number> {
  const count = 1 << 22;
  const [parameters, gradients, state] = [new Float32Array(count), new Float32Array(count), initAdamW(count)];
  const spec = { learning_rate: 1e-3, betas: [0.9, 0.999] as const, eps: 1e-8, weight_decay: 0 };
  const seconds = await medianSeconds(() => {
    globalNorm(gradients);
    updateAdamW(spec, state, parameters, gradients, [{ start: 0, end: count, decayed: false }], 1, 1e-3);
  });
  return count / seconds;
}

/** Measures this machine: three seconds at most. */
export async function measureRates(threads: number): Promise<Rates> {
  const rates: Partial<Record<OperatorClass, number>> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of OPERATOR_CLASSES) rates[kind] = Math.max(rates[kind] ?? 0, await rateOf(kind, threads));
  }
  return { ...(rates as Record<OperatorClass, number>), update: await updateRate() };
}

/** What rates hold for: file names begin with it. */
export const ratesKey = (threads: number): string =>
  Object.values(engineIdentity(threads))
    .join('-')
    .replaceAll(/[^\w.-]+/g, '-');
