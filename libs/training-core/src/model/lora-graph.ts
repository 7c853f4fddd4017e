import { addLora, type Network, weightParts } from '@tunefleet/models';
import type { GraphBuilder, Value } from '@tunefleet/tensor';
import { type LoraPlan, layoutOf } from './lora-plan.js';
import type { ModelGraph } from './trainable.js';

/** A model that an adapter is put on. */
export interface AdaptedModel {
  network: Network;
  /** Its tensors in a graph by name, undefined where it has none; `whole` are those that are trained whole. */
  weights(builder: GraphBuilder, whole: ReadonlyMap<string, Value>): (name: string) => Value | undefined;
}

/** LoRA as a graph: y = W x + scaling B A dropout(x) for the linears of the plan, everything else as the model has it. */
export function loraGraph({ network, weights }: AdaptedModel, plan: LoraPlan, dropout: number): Omit<ModelGraph, 'recipe'> {
  const { modules, saved } = plan;
  const layout = layoutOf(plan);
  const maskOf = (module: string): string => `${module}.dropout`;
  return {
    network,
    layout,
    dropout: new Map(dropout === 0 ? [] : modules.map(({ name }) => [maskOf(name), dropout])),
    build(builder, training) {
      const parameters = layout.slots.map(({ name, shape }) => builder.parameter(name, shape));
      const placeOf = new Map(modules.map((module, place) => [module.name, { module, place }]));
      const whole = new Map([...saved.keys()].map((name, index) => [name, parameters[2 * modules.length + index]!]));
      const parts = weightParts(weights(builder, whole));
      const linear = (module: string, x: Value): Value => {
        const y = parts.linear(module, x);
        const found = placeOf.get(module);
        if (found === undefined) return y;
        const mask = training && dropout > 0 ? { mask: builder.input(maskOf(module), 'f32', x.shape) } : {};
        const [a, b] = [parameters[2 * found.place]!, parameters[2 * found.place + 1]!];
        return addLora(y, x, { a, b, ...mask }, found.module.scaling);
      };
      return { parameters, ...parts, linear };
    },
  };
}
