import type { Shape } from '../graph/dimension.js';
import type { Graph, Value } from '../graph/value.js';

/** Part of the backward pass that a value belongs to: the gradients of a layer, or what of a layer is computed again. */
const PART = /^(?:backward|recomputed)\/[^/]+/;

/** What its sizes are told of: a value, or a tensor between the nodes of one. */
export type Sized = Pick<Value, 'dtype' | 'shape' | 'scope'>;

/** Two sizes that a run decides: scores of attention and their like, beside which nothing else counts in long rows. */
const isSquare = (shape: Shape): boolean => shape.filter((size) => typeof size === 'string').length > 1;

/**
 * The sizes of a graph's values as ONNX Runtime is told them. Its planner gives a result the buffer of an earlier value that nobody reads
 * any more where the sizes are spelled alike, and such a buffer is held until its last user is done with it, through all that runs between
 * the two. So where layers are computed again, because memory is short, the sizes of what grows with the square of a row carry the part
 * that they are of, and no such buffer waits from one layer to the next: the arena has the memory meanwhile. Not all sizes do: what no
 * later value fits is looked at for every one (1.7 s of a session of 14,000 nodes, with all sizes 3.8).
 */
export const plannedSizes = ({ values }: Graph): ((value: Sized) => Shape) => {
  if (!values.some(({ scope }) => scope.startsWith('recomputed/'))) return ({ shape }) => shape;
  return ({ scope, shape }) => {
    const part = PART.exec(scope)?.[0];
    return part === undefined || !isSquare(shape) ? shape : shape.map((size) => (typeof size === 'string' ? `${size}@${part}` : size));
  };
};
