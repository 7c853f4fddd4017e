import type { FlatLayout, ParameterSlot } from '../parameters.js';

/** Slots that are updated as one tensor. */
export interface StateGroup {
  /** places in the layout's slots */
  places: readonly number[];
  slots: readonly ParameterSlot[];
  /** of the group's moments: one tensor's own, or all elements end to end */
  shape: readonly number[];
  decayed: boolean;
}

/** Elements up to which a tensor is grouped: its update costs a device more in starting kernels than in running them. */
const SMALL = 65_536;

/** Large tensors by themselves; of the small ones (LoRA's factors, norms, biases) those that are decayed alike together. */
export function stateGroups({ slots }: FlatLayout): StateGroup[] {
  const places = [...slots.keys()];
  const small = (place: number): boolean => slots[place]!.length <= SMALL;
  const large = places.filter((place) => !small(place)).map((place) => [place]);
  const together = [true, false].map((decayed) => places.filter((place) => small(place) && slots[place]!.decayed === decayed));
  return [...large, ...together.filter((group) => group.length > 0)].map((group) => {
    const own = group.map((place) => slots[place]!);
    const shape = own.length === 1 ? own[0]!.shape : [own.reduce((sum, { length }) => sum + length, 0)];
    return { places: group, slots: own, shape, decayed: own[0]!.decayed };
  });
}
