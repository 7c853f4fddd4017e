import { basename } from 'node:path';
import {
  type LlamaConfig,
  type LoraAdapter,
  LoraSettingError,
  loraMatcher,
  loraTensorNames,
  openWeights,
  readLoraFolder,
  savedTensorName,
  wholeLoraSettings,
  writeLoraFolder,
} from '@tunefleet/model-formats';
import {
  adaptedLinears,
  adapterFault,
  addLora,
  type BasePrecision,
  type BaseWeights,
  causalLlama,
  initialLoraPair,
  type LinearModule,
  loraFault,
  openBaseWeights,
  savedConfig,
  savedFrom,
  savedTensors,
  savedWeights,
  unreadWeights,
} from '@tunefleet/models';
import { gather, linear as product, type Value } from '@tunefleet/tensor';
import { type FlatLayout, flatLayout, viewOf } from '../parameters.js';
import { type LoraSpec, TrainingError } from '../spec.js';
import { grownConfig, grownRows } from './grow-vocabulary.js';
import { fromRecipe } from './recipe.js';
import { copyTokenizerFiles } from './tokenizer-files.js';
import type { ModelGraph, Trainable } from './trainable.js';

export interface LoraTuningOptions {
  base: string;
  /** what the adapter says its base is; default: the folder's name */
  baseName: string | undefined;
  precision: BasePrecision;
  adapter: LoraSpec;
  /** rows that embedding and head are to have at least; the adapter then holds both whole */
  vocabulary: number | undefined;
  /** PEFT folder to go on from */
  continueFrom: string | undefined;
  seed: number;
  /** an existing folder for files that may go when the run ends */
  scratch: string;
}

/** What learns: factors of linears, then tensors of the base that are trained whole. */
interface Plan {
  modules: readonly (LinearModule & { rank: number; scaling: number })[];
  saved: ReadonlyMap<string, { shape: readonly number[] }>;
}

/** LoRA on a frozen base. */
export async function loraTuning(options: LoraTuningOptions): Promise<Trainable> {
  const { base, baseName = basename(base), precision, adapter, vocabulary, continueFrom, seed, scratch } = options;
  const start = continueFrom === undefined ? null : await readLoraFolder(continueFrom);
  const weights = await openBaseWeights(base, { precision, scratch });
  let plan: Plan;
  try {
    plan = start ? continuedPlan(weights.config, start, adapter) : newPlan(grownConfig(weights.config, vocabulary), adapter);
    checkVocabulary(savedConfig(weights.config, plan.saved), plan, vocabulary);
  } catch (error) {
    await weights.release();
    throw error;
  }
  const { modules, saved } = plan;
  const { dropout } = adapter;
  const graph = loraGraph({ config: weights.config, precision, dropout, plan }, weights.in);
  const { layout } = graph;
  return {
    ...graph,
    async initialize(parameters) {
      const begin = start ?? (await newAdapter(base, weights.config, adapter, plan, seed));
      const views = layout.slots.map((slot) => viewOf(parameters, slot)).values();
      for (const { name } of modules) {
        const { a, b } = begin.pairs.get(name)!;
        views.next().value!.set(a);
        views.next().value!.set(b);
      }
      for (const name of saved.keys()) views.next().value!.set(begin.saved.get(name)!.values);
    },
    async write(folder, parameters) {
      const { type: _lora, ...settings } = adapter;
      const config = start ? { ...start.config, dropout } : { ...settings, base: baseName };
      await writeLoraFolder(folder, { config, ...trained(plan, layout, parameters) });
      const grown = savedConfig(weights.config, saved).vocabularySize > weights.config.vocabularySize;
      if (grown || vocabulary !== undefined) await copyTokenizerFiles(base, folder);
    },
    close: () => weights.release(),
  };
}

/** LoRA on a base of which only the configuration is known: its graph can be made, not run. */
export const plannedLora = (config: LlamaConfig, precision: BasePrecision, adapter: LoraSpec): ModelGraph =>
  loraGraph({ config, precision, dropout: adapter.dropout, plan: newPlan(config, adapter) }, unreadWeights(config, precision));

interface LoraRecipe {
  config: LlamaConfig;
  precision: BasePrecision;
  dropout: number;
  plan: Plan;
}

const loraGraph = ({ plan, ...rest }: LoraRecipe, frozen: BaseWeights['in']): ModelGraph =>
  fromRecipe(
    'lora',
    { ...rest, modules: plan.modules, saved: [...plan.saved].map(([name, { shape }]) => [name, { shape }] as const) },
    (recipe) => graphOf({ ...recipe, plan: { modules: recipe.modules, saved: new Map(recipe.saved) } }, frozen),
  );

function graphOf({ config, dropout, plan }: LoraRecipe, frozen: BaseWeights['in']): Omit<ModelGraph, 'recipe'> {
  const { modules, saved } = plan;
  const layout = layoutOf(plan);
  const maskOf = (module: string): string => `${module}.dropout`;
  return {
    network: causalLlama(savedConfig(config, saved)),
    layout,
    dropout: new Map(dropout === 0 ? [] : modules.map(({ name }) => [maskOf(name), dropout])),
    build(builder, training) {
      const parameters = layout.slots.map(({ name, shape }) => builder.parameter(name, shape));
      const placeOf = new Map(modules.map((module, place) => [module.name, { module, place }]));
      const whole = new Map([...saved.keys()].map((name, index) => [name, parameters[2 * modules.length + index]!]));
      const weight = savedWeights(config, frozen(builder), whole);
      const linear = (module: string, x: Value): Value => {
        const y = product(x, weight(`${module}.weight`));
        const found = placeOf.get(module);
        if (found === undefined) return y;
        const mask = training && dropout > 0 ? { mask: builder.input(maskOf(module), 'f32', x.shape) } : {};
        const [a, b] = [parameters[2 * found.place]!, parameters[2 * found.place + 1]!];
        return addLora(y, x, { a, b, ...mask }, found.module.scaling);
      };
      return { parameters, weight, linear, embed: (table, ids) => gather(weight(table), ids) };
    },
  };
}

function newPlan(config: LlamaConfig, adapter: LoraSpec): Plan {
  let fault: ReturnType<typeof loraFault>;
  try {
    fault = loraFault(config, adapter);
  } catch (error) {
    if (error instanceof LoraSettingError) throw new TrainingError('invalid_spec', `adapter.${error.message}`);
    throw error;
  }
  if (fault) throw new TrainingError('invalid_spec', `adapter.${fault.setting}: ${fault.message}`);
  const { rank, scaling } = loraMatcher(adapter);
  const modules = adaptedLinears(config, adapter).map((module) => ({ ...module, rank: rank(module.name), scaling: scaling(module.name) }));
  return { modules, saved: new Map([...savedTensors(config, adapter)].map(([name, shape]) => [name, { shape }])) };
}

/** Added tokens are learned in embedding and head. */
function checkVocabulary({ vocabularySize }: LlamaConfig, { saved }: Plan, vocabulary: number | undefined): void {
  if (vocabulary === undefined) return;
  if (!saved.has('model.embed_tokens.weight') || !saved.has('lm_head.weight'))
    throw new TrainingError('invalid_spec', 'vocabulary needs embed_tokens and lm_head in adapter.modules_to_save');
  if (vocabulary > vocabularySize)
    throw new TrainingError('invalid_spec', `vocabulary is ${vocabulary}; the adapter to continue has ${vocabularySize} tokens`);
}

/** Settings that an adapter keeps when it is continued: they say what its tensors mean. */
const KEPT = ['rank', 'alpha', 'rank_pattern', 'alpha_pattern', 'use_rslora', 'modules_to_save'] as const;

/** A continued adapter keeps its own modules; the settings must describe it. */
function continuedPlan(config: LlamaConfig, start: LoraAdapter, adapter: LoraSpec): Plan {
  const [given, found] = [wholeLoraSettings(adapter), wholeLoraSettings(start.config)].map((one) =>
    Object.fromEntries(KEPT.map((key) => [key, JSON.stringify(one[key])])),
  ) as [Record<string, string>, Record<string, string>];
  for (const key of KEPT)
    if (given[key] !== found[key])
      throw new TrainingError('invalid_spec', `adapter.${key} is ${given[key]}, the adapter to continue has ${found[key]}`);
  const fault = adapterFault(config, start);
  if (fault !== null) throw new TrainingError('invalid_spec', `the adapter to continue does not fit the base: ${fault}`);
  const modules = adaptedLinears(config, start.config).flatMap((module) => {
    const pair = start.pairs.get(module.name);
    return pair ? [{ ...module, rank: pair.rank, scaling: pair.scaling }] : [];
  });
  return { modules, saved: start.saved };
}

async function newAdapter(base: string, config: LlamaConfig, adapter: LoraSpec, { modules, saved }: Plan, seed: number) {
  const matcher = loraMatcher(adapter);
  const pairs = new Map(modules.map((module, site) => [module.name, initialLoraPair(module, matcher, seed, site)]));
  const reader = await openWeights(base);
  try {
    const whole: LoraAdapter['saved'] = new Map(
      await Promise.all(
        [...saved].map(
          async ([name, { shape }]) => [name, { shape, values: grownRows(await reader.float32(savedFrom(config, name)), shape) }] as const,
        ),
      ),
    );
    return { pairs, saved: whole };
  } finally {
    await reader.close();
  }
}

function layoutOf({ modules, saved }: Plan): FlatLayout {
  const factors = modules.flatMap(({ name, rank, inputs, outputs }) => {
    const names = loraTensorNames(name);
    return [[names.a, [rank, inputs]] as const, [names.b, [outputs, rank]] as const];
  });
  return flatLayout([...factors, ...[...saved].map(([name, { shape }]) => [savedTensorName(name), shape] as const)]);
}

/** The trained adapter over the flat parameters, without a copy. */
function trained({ modules, saved }: Plan, { slots }: FlatLayout, parameters: Float32Array): Pick<LoraAdapter, 'pairs' | 'saved'> {
  const view = (place: number): Float32Array => viewOf(parameters, slots[place]!);
  return {
    pairs: new Map(modules.map((module, place) => [module.name, { ...module, a: view(2 * place), b: view(2 * place + 1) }])),
    saved: new Map([...saved].map(([name, { shape }], index) => [name, { shape, values: view(2 * modules.length + index) }])),
  };
}
