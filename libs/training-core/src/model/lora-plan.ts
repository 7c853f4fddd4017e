import {
  type LinearModule,
  type LoraAdapter,
  LoraSettingError,
  type LoraSettings,
  loraMatcher,
  loraTensorNames,
  savedTensorName,
  wholeLoraSettings,
} from '@tunefleet/model-formats';
import { type Adaptable, adaptedLinears, initialLoraPair, loraFault, savedTensors } from '@tunefleet/models';
import { type FlatLayout, flatLayout, viewOf } from '../parameters.js';
import { TrainingError } from '../spec.js';

type Shape = readonly number[];

/** What of an adapter learns: factors of linears, then tensors that are trained whole. */
export interface LoraPlan {
  modules: readonly (LinearModule & { rank: number; scaling: number })[];
  saved: ReadonlyMap<string, { shape: Shape }>;
}

/** A plan as plain data, for the recipe of a graph. */
export interface PlanData {
  modules: LoraPlan['modules'];
  saved: (readonly [name: string, shape: Shape])[];
}

export const planData = ({ modules, saved }: LoraPlan): PlanData => ({
  modules,
  saved: [...saved].map(([name, { shape }]) => [name, shape] as const),
});

export const planOf = ({ modules, saved }: PlanData): LoraPlan => ({
  modules,
  saved: new Map(saved.map(([name, shape]) => [name, { shape }])),
});

/** The plan of a new adapter. Errors: `invalid_spec`, naming the setting. */
export function newLoraPlan(model: Adaptable, settings: LoraSettings): LoraPlan {
  let fault: ReturnType<typeof loraFault>;
  try {
    fault = loraFault(model, settings);
  } catch (error) {
    if (error instanceof LoraSettingError) throw new TrainingError('invalid_spec', `adapter.${error.message}`);
    throw error;
  }
  if (fault) throw new TrainingError('invalid_spec', `adapter.${fault.setting}: ${fault.message}`);
  const { rank, scaling } = loraMatcher(settings);
  const modules = adaptedLinears(model, settings).map((module) => ({ ...module, rank: rank(module.name), scaling: scaling(module.name) }));
  return { modules, saved: new Map([...savedTensors(model, settings)].map(([name, shape]) => [name, { shape }])) };
}

/** Settings that an adapter keeps when it is continued: they say what its tensors mean. */
const KEPT = ['rank', 'alpha', 'rank_pattern', 'alpha_pattern', 'use_rslora', 'modules_to_save'] as const;

/**
 * The plan of an adapter that goes on: it keeps its own modules, and the settings must describe it. `fault`: why it does not fit the base.
 * Errors: `invalid_spec`.
 */
export function continuedLoraPlan(model: Adaptable, start: LoraAdapter, settings: LoraSettings, fault: string | null): LoraPlan {
  const [given, found] = [wholeLoraSettings(settings), wholeLoraSettings(start.config)].map((one) =>
    Object.fromEntries(KEPT.map((key) => [key, JSON.stringify(one[key])])),
  ) as [Record<string, string>, Record<string, string>];
  for (const key of KEPT)
    if (given[key] !== found[key])
      throw new TrainingError('invalid_spec', `adapter.${key} is ${given[key]}, the adapter to continue has ${found[key]}`);
  if (fault !== null) throw new TrainingError('invalid_spec', `the adapter to continue does not fit the base: ${fault}`);
  const modules = adaptedLinears(model, start.config).flatMap((module) => {
    const pair = start.pairs.get(module.name);
    return pair ? [{ ...module, rank: pair.rank, scaling: pair.scaling }] : [];
  });
  return { modules, saved: start.saved };
}

export function layoutOf({ modules, saved }: LoraPlan): FlatLayout {
  const factors = modules.flatMap(({ name, rank, inputs, outputs }) => {
    const names = loraTensorNames(name);
    return [[names.a, [rank, inputs]] as const, [names.b, [outputs, rank]] as const];
  });
  return flatLayout([...factors, ...[...saved].map(([name, { shape }]) => [savedTensorName(name), shape] as const)]);
}

type Tensors = Pick<LoraAdapter, 'pairs' | 'saved'>;

/** An adapter as training begins with it. `initial`: a tensor that is trained whole, by its name and shape. */
export async function newAdapter(
  { modules, saved }: LoraPlan,
  settings: LoraSettings,
  seed: number,
  initial: (name: string, shape: Shape) => Promise<Float32Array>,
): Promise<Tensors> {
  const matcher = loraMatcher(settings);
  const whole: [string, { shape: Shape; values: Float32Array }][] = [];
  for (const [name, { shape }] of saved) whole.push([name, { shape, values: await initial(name, shape) }]);
  return {
    pairs: new Map(modules.map((module, site) => [module.name, initialLoraPair(module, matcher, seed, site)])),
    saved: new Map(whole),
  };
}

/** Lays an adapter out in the flat parameters. */
export function place({ modules, saved }: LoraPlan, { slots }: FlatLayout, parameters: Float32Array, begin: Tensors): void {
  const views = slots.map((slot) => viewOf(parameters, slot)).values();
  for (const { name } of modules) {
    const { a, b } = begin.pairs.get(name)!;
    views.next().value!.set(a);
    views.next().value!.set(b);
  }
  for (const name of saved.keys()) views.next().value!.set(begin.saved.get(name)!.values);
}

/** The trained adapter over the flat parameters, without a copy. */
export function trained({ modules, saved }: LoraPlan, { slots }: FlatLayout, parameters: Float32Array): Tensors {
  const view = (at: number): Float32Array => viewOf(parameters, slots[at]!);
  return {
    pairs: new Map(modules.map((module, at) => [module.name, { ...module, a: view(2 * at), b: view(2 * at + 1) }])),
    saved: new Map([...saved].map(([name, { shape }], index) => [name, { shape, values: view(2 * modules.length + index) }])),
  };
}
