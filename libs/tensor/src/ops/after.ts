import type { Value } from '../graph/value.js';
import { apply, type Primitive } from './primitive.js';

/** No elements, by a name: ONNX Runtime would fold away a shape that it knows. */
const NOTHING = ['nothing'];

/**
 * The first input as it is, not before the others have been computed. ONNX Runtime orders by data alone, so the order becomes data: no
 * element of the others is taken (Compress), and the length of that nothing, which only a run knows, is added to the shape that the first
 * is viewed in. A shape known beforehand would be folded away, and with it the order. No element is copied.
 */
export const afterOp: Primitive = {
  name: 'after',
  type: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  gradient: (value, dy) => value.inputs.map((_, place) => (place === 0 ? dy : null)),
  evaluate: ([x]) => x!.data,
  emit: (emitter, [x, ...events], { inputs, shape }) => {
    const nothing = events.map((event, place) => {
      const { dtype, shape } = inputs[place + 1]!;
      const row = shape.length === 0 ? emitter.sized(emitter.op('Reshape', [event, emitter.ints([1])]), [1], dtype) : event;
      const none = emitter.op('Compress', [row, emitter.literal(Uint8Array.of(0), 'bool', [1])]);
      return emitter.sized(none, NOTHING, dtype);
    });
    // Concat takes one dtype: events are grouped by theirs.
    const dtypes = [...new Set(inputs.slice(1).map(({ dtype }) => dtype))];
    const lengths = dtypes.map((dtype) => {
      const same = nothing.filter((_, place) => inputs[place + 1]!.dtype === dtype);
      const joined = (): string => emitter.sized(emitter.op('Concat', same, { axis: 0 }), NOTHING, dtype);
      return emitter.op('Shape', [same.length === 1 ? same[0]! : joined()]);
    });
    const viewed = lengths.reduce((sum, length) => emitter.op('Add', [sum, length]), emitter.shape(shape));
    return emitter.op('Reshape', [x!, viewed], { allowzero: 1 });
  },
};

/** `x`, computed (or, if it is there already, read) only after `events`. */
export const after = (x: Value, events: readonly Value[]): Value => (events.length === 0 ? x : apply(afterOp, [x, ...events], {}));
