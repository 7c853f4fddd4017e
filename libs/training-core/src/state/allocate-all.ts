import type { Copier, DeviceTensor } from '@tunefleet/tensor';

/** Tensors of these shapes. Where the device has no room for one of them, those before it are given back. */
export function allocateAll(mover: Copier, shapes: readonly { readonly shape: readonly number[] }[]): DeviceTensor[] {
  const tensors: DeviceTensor[] = [];
  try {
    for (const { shape } of shapes) tensors.push(mover.allocate(shape));
    return tensors;
  } catch (error) {
    for (const tensor of tensors) tensor.release();
    throw error;
  }
}
