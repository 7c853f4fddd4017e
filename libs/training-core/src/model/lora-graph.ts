import { addLora, addLoras, type Network, weightParts } from '@tunefleet/models';
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
      const factorsOf = (place: number) => ({ a: parameters[2 * place]!, b: parameters[2 * place + 1]! });
      const linear = (module: string, x: Value): Value => {
        const y = parts.linear(module, x);
        const found = placeOf.get(module);
        if (found === undefined) return y;
        const mask = training && dropout > 0 ? { mask: builder.input(maskOf(module), 'f32', x.shape) } : {};
        return addLora(y, x, { ...factorsOf(found.place), ...mask }, found.module.scaling);
      };
      const linears = (modules: readonly string[], x: Value): Value[] => {
        const found = modules.map((module) => placeOf.get(module));
        // Each module drops out elements of its own, and one alone has nothing to share.
        if ((training && dropout > 0) || found.filter(Boolean).length < 2) return modules.map((module) => linear(module, x));
        const ys = modules.map((module) => parts.linear(module, x));
        const adapted = found.flatMap((one, index) =>
          one ? [{ y: ys[index]!, factors: factorsOf(one.place), scaling: one.module.scaling }] : [],
        );
        const sums = addLoras(adapted, x);
        return ys.map((y, index) => (found[index] ? sums.shift()! : y));
      };
      return { parameters, ...parts, linear, linears };
    },
  };
}
