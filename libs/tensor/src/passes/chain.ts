import { countUses } from '../graph/count-uses.js';
import { sameShape } from '../graph/dimension.js';
import { rewriteGraph } from '../graph/rewrite.js';
import type { Graph, Value } from '../graph/value.js';
import { addMatmulOp } from '../ops/add-matmul.js';
import { addOp, mul } from '../ops/arithmetic.js';
import { type MatmulAttributes, matmulOp, THIN } from '../ops/matmul.js';
import { apply, isMadeBy } from '../ops/primitive.js';
import type { Provider } from '../provider.js';

const isThin = ({ inputs: [a] }: Value, { transA }: MatmulAttributes): boolean => {
  const inner = a!.shape.at(transA ? -2 : -1)!;
  return typeof inner === 'number' && inner <= THIN;
};

/**
 * A matrix product that is read by a sum alone is added to the sum's other side as it is computed: adapters' parts, and gradients that
 * several products share, become a chain. Of two products the thin one is added to the other.
 */
export const chain = (graph: Graph, provider: Provider): Graph => {
  const uses = countUses(graph);
  const sum = (product: Value, [a, b, addend]: readonly [Value, Value, Value], attributes: MatmulAttributes): Value => {
    const pointwise = provider === 'cpu' && !attributes.transA && isThin(product, attributes);
    // That kernel has no factor: it goes to the narrow side.
    const left = pointwise && attributes.alpha !== 1 ? mul(a, attributes.alpha) : a;
    return apply(addMatmulOp, [left, b, addend], { ...attributes, alpha: pointwise ? 1 : attributes.alpha, pointwise });
  };
  return rewriteGraph(graph, (value, inputs) => {
    if (isMadeBy(value, addMatmulOp)) return sum(value, inputs as [Value, Value, Value], value.attributes);
    if (!isMadeBy(value, addOp) || value.shape.length !== 2) return null;
    const places = [1, 0].filter((place) => {
      const [product, addend] = [inputs[place]!, inputs[1 - place]!];
      return isMadeBy(product, matmulOp) && uses.get(value.inputs[place]!) === 1 && sameShape(product.shape, addend.shape);
    });
    const place = places.find((one) => isThin(inputs[one]!, inputs[one]!.attributes as MatmulAttributes)) ?? places[0];
    if (place === undefined) return null;
    const product = inputs[place]! as Value & { attributes: MatmulAttributes };
    const [a, b] = product.inputs as [Value, Value];
    return sum(product, [a, b, inputs[1 - place]!], product.attributes);
  });
};
