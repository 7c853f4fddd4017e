import { rewriteGraph } from '../graph/rewrite.js';
import type { FrozenSource, Graph } from '../graph/value.js';
import { frozenOp } from '../ops/leaves.js';
import { sliceOp } from '../ops/movement.js';
import { isMadeBy } from '../ops/primitive.js';

const FLOAT_BYTES = 4;

const from = (source: FrozenSource, element: number, count: number): FrozenSource =>
  'data' in source
    ? { data: source.data.subarray(element, element + count) }
    : { file: source.file, offset: source.offset + FLOAT_BYTES * element };

/**
 * Rows of a frozen weight are a frozen weight of their own, from their place in the file: no copy at run time, and packed for products like
 * others.
 */
export const sliceFrozen = (graph: Graph): Graph =>
  rewriteGraph(graph, (value, [input], builder) => {
    if (!isMadeBy(value, sliceOp) || !input || !isMadeBy(input, frozenOp)) return null;
    const { axis, start, end } = value.attributes;
    if (axis !== 0 || typeof start !== 'number' || typeof end !== 'number') return null;
    const { name, shape, source } = input.attributes;
    const width = shape.slice(1).reduce((a, b) => a * b, 1);
    const part = `${name}[${start}:${end}]`;
    if (builder.declares(part)) return null;
    return builder.frozen(part, [end - start, ...shape.slice(1)], from(source, start * width, (end - start) * width));
  });
