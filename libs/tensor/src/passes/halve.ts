import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addMatmulOp } from '../ops/add-matmul.js';
import { add, mul } from '../ops/arithmetic.js';
import { cast, castOp } from '../ops/cast.js';
import { type MatmulAttributes, matmulOp } from '../ops/matmul.js';
import { apply, isMadeBy } from '../ops/primitive.js';
import { softmaxMatmulOp } from '../ops/softmax-matmul.js';

/** What products compute in. Sums over rows, norms, softmax, losses and weights are float32 either way. */
export type Precision = 'float32' | 'float16';

const half = (x: Value): Value => (isMadeBy(x, castOp) && x.inputs[0]!.dtype === 'f16' ? x.inputs[0]! : cast(x, 'f16'));

const product = (a: Value, b: Value, { transA, transB, alpha }: MatmulAttributes): Value => {
  // The factor is applied in float32, where it cannot overflow.
  const wide = cast(apply(matmulOp, [half(a), half(b)], { transA, transB, alpha: 1 }), 'f32');
  return alpha === 1 ? wide : mul(wide, alpha);
};

/** Products of float32 become products of float16, as PyTorch's autocast has them: float32 around, rounded on the way in. */
export const halve = (graph: Graph): Graph =>
  rewriteGraph(graph, (value, inputs) => {
    if (isMadeBy(value, matmulOp) && value.dtype === 'f32') return product(inputs[0]!, inputs[1]!, value.attributes);
    if (isMadeBy(value, addMatmulOp)) return add(inputs[2]!, product(inputs[0]!, inputs[1]!, value.attributes));
    if (isMadeBy(value, softmaxMatmulOp)) return product(inputs[0]!, inputs[2]!, { transA: false, transB: false, alpha: 1 });
    return null;
  });
