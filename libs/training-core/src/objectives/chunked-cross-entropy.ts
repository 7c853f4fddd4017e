import {
  add,
  argMax,
  cast,
  equal,
  exp,
  gather,
  less,
  log,
  matmul,
  maximum,
  mul,
  reduceMax,
  reduceSum,
  reshape,
  slice,
  stopGradient,
  sub,
  type Value,
  where,
} from '@tunefleet/tensor';
import type { CrossEntropySums } from './cross-entropy.js';

/**
 * Classes of a chunk at most. Their logits [trained, chunk] are what a core's caches hold; wider rows, above all those of a multiple of
 * 1,024 floats, make their products a quarter slower.
 */
const CHUNK = 1536;

interface Chunk {
  /** exp(logits - largest) [trained, classes of the chunk], what the backward pass needs of it */
  scaled: Value;
  /** [trained, 1] */
  largest: Value;
  /** [trained, 1] of i32: the class of the largest, counted in the whole */
  best: Value;
}

/**
 * Cross-entropy of logits = states classes^T, which never exist as a whole: a vocabulary in chunks.
 * @param states [trained, width], classes [classes, width], targets [trained] of i32, weights [trained]
 */
export function chunkedCrossEntropySums(states: Value, classes: Value, targets: Value, weights: Value): CrossEntropySums {
  const count = classes.shape[0] as number;
  const chunks = Math.ceil(count / CHUNK);
  const edge = (chunk: number): number => Math.floor((count * chunk) / chunks);
  // Made before the slices, so that their gradients are added up first, and as neighbours.
  const ofTarget = reduceSum(mul(states, gather(classes, targets)), [-1], { keepDims: true });
  const parts = Array.from({ length: chunks }, (_, chunk): Chunk => {
    const rows = chunks === 1 ? classes : slice(classes, 0, edge(chunk), edge(chunk + 1));
    const logits = matmul(states, rows, { transB: true });
    const largest = stopGradient(reduceMax(logits, [-1], { keepDims: true }));
    return { scaled: exp(sub(logits, largest)), largest, best: add(reshape(argMax(logits), largest.shape), edge(chunk)) };
  });
  const [first, ...rest] = parts as [Chunk, ...Chunk[]];
  const { largest, best } = rest.reduce<Omit<Chunk, 'scaled'>>(
    (a, b) => ({
      largest: maximum(a.largest, b.largest),
      best: where(less(a.largest, b.largest), b.best, a.best),
    }),
    first,
  );
  const sums = parts.map((part) => mul(reduceSum(part.scaled, [-1], { keepDims: true }), exp(sub(part.largest, largest))));
  const logSum = add(log(sums.reduce((a, b) => add(a, b))), largest);
  const losses = reshape(sub(logSum, ofTarget), targets.shape);
  return { loss: reduceSum(mul(losses, weights)), correct: reduceSum(cast(equal(reshape(best, targets.shape), targets), 'f32')) };
}
