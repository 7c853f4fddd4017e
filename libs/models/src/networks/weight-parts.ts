import { gather, linear, type Value } from '@tunefleet/tensor';
import type { NetworkParts } from './network.js';

/** Modules that share nothing, whatever they read. */
export const separateLinears = (linear: NetworkParts['linear']): Pick<NetworkParts, 'linear' | 'linears'> => ({
  linear,
  linears: (modules, x) => modules.map((module) => linear(module, x)),
});

/** Plain modules over tensors by name; a module has a bias where `find` has one. */
export function weightParts(find: (name: string) => Value | undefined): Omit<NetworkParts, 'dropout'> {
  const weight = (name: string): Value => {
    const found = find(name);
    if (!found) throw new Error(`the model has no tensor ${name}`);
    return found;
  };
  return {
    weight,
    ...separateLinears((module, x) => linear(x, weight(`${module}.weight`), find(`${module}.bias`))),
    embed: (table, ids) => gather(weight(table), ids),
  };
}
