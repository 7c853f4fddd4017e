import { float32Tensor, type Tensor } from '@tunefleet/model-formats';

/** A trainable tensor: its name, shape, and place in the flat parameters. */
export interface ParameterSlot {
  name: string;
  shape: readonly number[];
  /** first element; a multiple of 16, so that every tensor starts at 64 bytes */
  offset: number;
  length: number;
  /** norms and biases (one axis) are not decayed */
  decayed: boolean;
}

/** All trainable tensors as views of one array; gradients and moments lie in arrays of the same layout. The gaps stay zero. */
export interface FlatLayout {
  slots: readonly ParameterSlot[];
  size: number;
}

const ALIGNMENT = 16;

export function flatLayout(tensors: Iterable<readonly [name: string, shape: readonly number[]]>): FlatLayout {
  const slots: ParameterSlot[] = [];
  let offset = 0;
  for (const [name, shape] of tensors) {
    const length = shape.reduce((a, b) => a * b, 1);
    slots.push({ name, shape, offset, length, decayed: shape.length > 1 });
    offset = Math.ceil((offset + length) / ALIGNMENT) * ALIGNMENT;
  }
  return { slots, size: offset };
}

export function viewOf(flat: Float32Array, slot: ParameterSlot): Float32Array {
  return flat.subarray(slot.offset, slot.offset + slot.length);
}

/** The slots as named tensors over `flat`, without a copy. */
export function tensorsOf(layout: FlatLayout, flat: Float32Array, prefix = ''): Tensor[] {
  return layout.slots.map((slot) => float32Tensor(prefix + slot.name, slot.shape, viewOf(flat, slot)));
}
