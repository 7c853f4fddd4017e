import { MICROSOFT } from '../emit/emitter.js';
import { printShape, type Shape } from '../graph/dimension.js';
import type { Value } from '../graph/value.js';
import { apply, type Primitive } from './primitive.js';
import { neg } from './unary.js';

/** Of [tokens, heads, width]: as the kernel wants it, with the heads of a token one after the other. */
const flattened = ([tokens, heads, width]: Shape): Shape => [1, tokens!, (heads as number) * (width as number)];

/**
 * Rotary position embedding (Su et al., arXiv 2104.09864), halves as in Hugging Face's Llama: element i of a head's first half turns
 * with element i of its second half. x [tokens, heads, width]; cos and sin [tokens, width / 2], the rows of each token's position.
 */
export const ropeOp: Primitive = {
  name: 'rope',
  type: ([x, cos, sin]) => {
    const [tokens, , width] = x!.shape;
    if (x!.shape.length !== 3 || typeof width !== 'number' || width % 2 !== 0) {
      throw new Error('x must be [tokens, heads, width] with an even width');
    }
    for (const { dtype, shape } of [cos!, sin!]) {
      if (dtype !== 'f32' || shape.length !== 2 || shape[0] !== tokens || shape[1] !== width / 2) {
        throw new Error(`cos and sin must be ${printShape([tokens!, width / 2])}`);
      }
    }
    return { dtype: 'f32', shape: x!.shape };
  },
  // Turning back. Tables of angles are data, not weights: no gradient for them.
  gradient: ({ inputs }, dy) => {
    const [, cos, sin] = inputs as [Value, Value, Value];
    return [rope(dy, cos, neg(sin)), null, null];
  },
  evaluate: ([x, cos, sin], _, { shape }) => {
    const [tokens, heads, width] = shape as [number, number, number];
    const half = width / 2;
    const result = new Float64Array(x!.data.length);
    for (let row = 0; row < tokens * heads; row++) {
      for (let i = 0; i < half; i++) {
        const angle = Math.floor(row / heads) * half + i;
        const [c, s] = [cos!.data[angle]!, sin!.data[angle]!];
        const [first, second] = [x!.data[row * width + i]!, x!.data[row * width + half + i]!];
        result[row * width + i] = first * c - second * s;
        result[row * width + half + i] = second * c + first * s;
      }
    }
    return result;
  },
  written: ({ shape }) => flattened(shape),
  emit: (emitter, [x, cos, sin], { shape }) => {
    const flat = flattened(shape);
    const rows = emitter.sized(emitter.op('Reshape', [x!, emitter.shape(flat)], { allowzero: 1 }), flat);
    // A single position id is the offset of the first token into the tables.
    const turned = emitter.op('RotaryEmbedding', [rows, emitter.ints([0]), cos!, sin!], {}, MICROSOFT);
    return emitter.op('Reshape', [emitter.sized(turned, flat), emitter.shape(shape)], { allowzero: 1 });
  },
};

export const rope = (x: Value, cos: Value, sin: Value): Value => apply(ropeOp, [x, cos, sin], {});
