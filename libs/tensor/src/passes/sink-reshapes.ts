import { type Shape, sameShape } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addOp, divOp, mulOp, subOp } from '../ops/arithmetic.js';
import { matmulOp } from '../ops/matmul.js';
import { reshape, reshapeOp } from '../ops/movement.js';
import { apply, isMadeBy } from '../ops/primitive.js';
import { type ReductionAttributes, reduceSumOp } from '../ops/reduction.js';
import { softmaxOp } from '../ops/softmax.js';

/** Computed by element, or along the last axis: how the other axes are cut makes no difference. */
const ROW_BY_ROW = [addOp, subOp, mulOp, divOp, softmaxOp];

const rowsOf = (shape: Shape): Shape => shape.slice(0, -1);

/** What a value is a view of, where their last axes are the same; views of views were made views of their source. */
const under = (value: Value): Value => {
  const source = isMadeBy(value, reshapeOp) ? value.inputs[0]! : value;
  return source.shape.at(-1) === value.shape.at(-1) ? source : value;
};

const isSumOfRows = (value: Value): value is Value & { attributes: ReductionAttributes } =>
  isMadeBy(value, reduceSumOp) && value.attributes.keepDims && value.attributes.axes.join() === String(value.shape.length - 1);

/** The shapes in which values are viewed by what computes with them: of views of views the last. */
const viewsOf = ({ values }: Graph): ReadonlyMap<Value, readonly Shape[]> => {
  const views = new Map<Value, Shape[]>();
  for (const view of values.filter((value) => !isMadeBy(value, reshapeOp)).flatMap(({ inputs }) => inputs)) {
    for (let value = view; isMadeBy(value, reshapeOp); ) {
      value = value.inputs[0]!;
      views.set(value, [...(views.get(value) ?? []), view.shape]);
    }
  }
  return views;
};

/**
 * What is computed row by row of views is computed of what they are views of, and the result viewed: one view meets the next and goes. A
 * view costs no time of its own, but each node takes some to plan and to start (600 of the 10,400 of SmolLM2-135M's training graph are
 * such views, between the halves that `legalize` makes of products and the scores).
 */
export const sinkReshapes = (graph: Graph): Graph => {
  const views = viewsOf(graph);
  return rewriteGraph(graph, (value, inputs) => {
    const [first] = inputs;
    if (isMadeBy(value, reshapeOp)) return reshape(isMadeBy(first!, reshapeOp) ? first.inputs[0]! : first!, value.shape);
    if (!isSumOfRows(value) && !ROW_BY_ROW.some((op) => isMadeBy(value, op))) return null;
    const tensors = inputs.filter(({ shape }) => shape.length > 0);
    const sources = tensors.map(under);
    const alike = tensors.every(({ shape }) => sameShape(rowsOf(shape), rowsOf(value.shape)));
    if (sources.length === 0 || !alike || sources.some((source, place) => source === tensors[place])) return null;
    const width = value.shape.at(-1)!;
    const isWanted = ({ shape }: Value): boolean => (views.get(value) ?? []).some((view) => sameShape(view, [...rowsOf(shape), width]));
    // Else as a product wrote it: likely other products read it so.
    const { shape } = sources.find(isWanted) ?? sources.find((source) => isMadeBy(source, matmulOp)) ?? sources[0]!;
    const rows = rowsOf(shape);
    const operands = inputs.map((input) => (input.shape.length > 0 ? reshape(under(input), [...rows, input.shape.at(-1)!]) : input));
    const attributes = isSumOfRows(value) ? { ...value.attributes, axes: [rows.length] } : value.attributes;
    return reshape(apply(value.op, operands as [Value, ...Value[]], attributes), value.shape);
  });
};
