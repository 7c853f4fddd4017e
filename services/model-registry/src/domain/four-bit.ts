import { blockLinears, type TensorReader } from '@tunefleet/model-formats';
import { dequantizeInt4, quantizeInt4 } from '@tunefleet/tensor/int4';

/** The weights of a base as an adapter over `base_precision: "int4"` learned over them: those of the blocks' linears rounded to 4-bit blocks, the others as they are. */
export function throughInt4(weights: TensorReader, shapes: ReadonlyMap<string, readonly number[]>): TensorReader {
  const linears = new Map(blockLinears(shapes).map(({ name, inputs, outputs }) => [`${name}.weight`, { inputs, outputs }]));
  return {
    names: weights.names,
    info: (name) => weights.info(name),
    bytes: (name) => weights.bytes(name),
    close: () => weights.close(),
    async float32(name) {
      const values = await weights.float32(name);
      const linear = linears.get(name);
      if (!linear) return values;
      return dequantizeInt4(quantizeInt4(values, linear.outputs, linear.inputs), linear.outputs, linear.inputs);
    },
  };
}
