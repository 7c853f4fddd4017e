import type { ModelGraph } from './trainable.js';

/**
 * A model's graph from plain data alone: `make` is given what was read back from the recipe's text, so nothing that the text does not say
 * can reach the graph. Compiled graphs are kept by it. What `make` closes over may only say where frozen weights lie.
 */
export function fromRecipe<Data extends object>(kind: string, data: Data, make: (data: Data) => Omit<ModelGraph, 'recipe'>): ModelGraph {
  const text = JSON.stringify(data);
  return { ...make(JSON.parse(text) as Data), recipe: `${kind} ${text}` };
}
