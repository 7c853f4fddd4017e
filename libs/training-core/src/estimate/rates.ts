import {
  add,
  compile,
  countWork,
  engineIdentity,
  GraphBuilder,
  gather,
  graphOf,
  lower,
  matmul,
  OPERATOR_CLASSES,
  type OperatorClass,
  reduceMax,
  releaseTensors,
  softmax,
  type Value,
} from '@tunefleet/tensor';
import { initAdamW, updateAdamW } from '../optimizers/adamw.js';

/** What this machine does in a second: work of each operator class, and trained numbers updated. */
export interface Rates extends Readonly<Record<OperatorClass, number>> {
  readonly update: number;
}

/** Sizes of a layer of a small model over 512 tokens. */
const [TOKENS, INNER, RANK] = [512, 1536, 8];
const RUNS = 5;

const input = (g: GraphBuilder, name: string, ...shape: number[]): Value => g.input(name, 'f32', shape);
/** [rows, INNER] */
const weight = (g: GraphBuilder, rows: number): Value =>
  g.frozen('w', [rows, INNER], { data: new Float32Array(rows * INNER).fill(1 / INNER) });

const times = (count: number, x: Value, apply: (x: Value) => Value): Value => Array.from({ length: count }).reduce<Value>(apply, x);

/** Operators of each class, of a size that training has, one after another; what is fetched is one number. */
const SAMPLES: Readonly<Record<OperatorClass, (g: GraphBuilder) => Value>> = {
  product: (g) => {
    const w = weight(g, INNER);
    return times(4, input(g, 'x', TOKENS, INNER), (x) => matmul(x, w, { transB: true }));
  },
  thinProduct: (g) => matmul(input(g, 'x', TOKENS, INNER), weight(g, RANK), { transB: true }),
  elementwise: (g) => times(16, input(g, 'x', TOKENS, INNER), (x) => add(x, input(g, `y${x.id}`, TOKENS, INNER))),
  transcendental: (g) => times(4, input(g, 'x', 9 * TOKENS, TOKENS), softmax),
  movement: (g) => times(8, input(g, 'x', TOKENS, INNER), (x) => gather(x, g.input(`ids${x.id}`, 'i32', [TOKENS]))),
};

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function rateOf(kind: OperatorClass, threads: number): Promise<number> {
  const outputs = { largest: reduceMax(SAMPLES[kind](new GraphBuilder())) };
  const executable = await compile({ outputs, threads, spinning: true });
  const feeds = Object.fromEntries(
    executable.inputs.map(({ name, dtype, shape }) => {
      const length = shape.reduce<number>((a, b) => a * Number(b), 1);
      return [name, dtype === 'f32' ? new Float32Array(length).fill(0.5) : new Int32Array(length)];
    }),
  );
  const seconds: number[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const begin = performance.now();
    const results = await executable.run(feeds);
    seconds.push((performance.now() - begin) / 1000);
    releaseTensors(Object.values(results));
  }
  await executable.release();
  // The first run also makes the arena.
  return countWork(lower(graphOf(outputs), 'cpu'), new Map())[kind] / median(seconds.slice(1));
}

function updateRate(): number {
  const count = 1 << 20;
  const [parameters, gradients, state] = [new Float32Array(count), new Float32Array(count), initAdamW(count)];
  const spec = { learning_rate: 1e-3, betas: [0.9, 0.999] as const, eps: 1e-8, weight_decay: 0 };
  const seconds = Array.from({ length: RUNS }, () => {
    const begin = performance.now();
    updateAdamW(spec, state, parameters, gradients, [{ start: 0, end: count, decayed: false }], 1, 1e-3);
    return (performance.now() - begin) / 1000;
  });
  return count / median(seconds);
}

/** Measures this machine: under a second. */
export async function measureRates(threads: number): Promise<Rates> {
  const rates: Partial<Record<OperatorClass, number>> = {};
  for (const kind of OPERATOR_CLASSES) rates[kind] = await rateOf(kind, threads);
  return { ...(rates as Record<OperatorClass, number>), update: updateRate() };
}

/** What rates hold for: file names begin with it. */
export const ratesKey = (threads: number): string =>
  Object.values(engineIdentity(threads))
    .join('-')
    .replaceAll(/[^\w.-]+/g, '-');
