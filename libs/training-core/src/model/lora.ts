import { basename } from 'node:path';
import {
  type LlamaConfig,
  type LoraAdapter,
  type LoraConfig,
  type LoraPair,
  loraTensorNames,
  readLoraFolder,
  writeLoraFolder,
} from '@tunefleet/model-formats';
import {
  adaptedLinears,
  addLora,
  type BasePrecision,
  causalLlama,
  initialLoraPair,
  type LinearModule,
  openBaseWeights,
  unknownTargets,
} from '@tunefleet/models';
import { gather, linear as product, type Value } from '@tunefleet/tensor';
import { type FlatLayout, flatLayout, viewOf } from '../parameters.js';
import { type LoraSpec, TrainingError } from '../spec.js';
import type { Trainable } from './trainable.js';

export interface LoraTuningOptions {
  base: string;
  precision: BasePrecision;
  adapter: LoraSpec;
  /** PEFT folder to go on from */
  continueFrom: string | undefined;
  seed: number;
  /** an existing folder for files that may go when the run ends */
  scratch: string;
}

/** LoRA on a frozen base. */
export async function loraTuning({ base, precision, adapter, continueFrom, seed, scratch }: LoraTuningOptions): Promise<Trainable> {
  const start = continueFrom === undefined ? null : await readLoraFolder(continueFrom);
  const weights = await openBaseWeights(base, { precision, scratch });
  const { config } = weights;
  const { rank, alpha, dropout } = adapter;
  let modules: LinearModule[];
  try {
    modules = start ? continuedModules(start, adapter, adaptedLinears(config, 'all-linear')) : newModules(config, adapter);
  } catch (error) {
    await weights.release();
    throw error;
  }
  const layout = flatLayout(
    modules.flatMap(({ name, inputs, outputs }) => {
      const names = loraTensorNames(name);
      return [
        [names.a, [rank, inputs]],
        [names.b, [outputs, rank]],
      ] as const;
    }),
  );
  const maskOf = (module: string): string => `${module}.dropout`;
  return {
    network: causalLlama(config),
    layout,
    dropout: new Map(dropout === 0 ? [] : modules.map(({ name }) => [maskOf(name), dropout])),
    initialize(parameters) {
      modules.forEach((module, site) => {
        const { a, b } = start?.pairs.get(module.name) ?? initialLoraPair(module, rank, seed, site);
        viewOf(parameters, layout.slots[2 * site]!).set(a);
        viewOf(parameters, layout.slots[2 * site + 1]!).set(b);
      });
      return Promise.resolve();
    },
    build(builder, training) {
      const parameters = layout.slots.map(({ name, shape }) => builder.parameter(name, shape));
      const placeOf = new Map(modules.map(({ name }, place) => [name, place]));
      const weight = weights.in(builder);
      const linear = (module: string, x: Value): Value => {
        const y = product(x, weight(`${module}.weight`));
        const place = placeOf.get(module);
        if (place === undefined) return y;
        const mask = training && dropout > 0 ? { mask: builder.input(maskOf(module), 'f32', x.shape) } : {};
        return addLora(y, x, { a: parameters[2 * place]!, b: parameters[2 * place + 1]!, ...mask }, alpha / rank);
      };
      return { parameters, weight, linear, embed: (table, ids) => gather(weight(table), ids) };
    },
    write: (folder, parameters) => writeLoraFolder(folder, adapterOf(loraConfig(base, adapter, start), modules, layout, parameters)),
    close: () => weights.release(),
  };
}

function newModules(config: LlamaConfig, { targets }: LoraSpec): LinearModule[] {
  const unknown = unknownTargets(config, targets);
  if (unknown.length > 0) throw new TrainingError('invalid_spec', `adapter.targets: \`${unknown[0]}\` names no linear layer of this model`);
  return adaptedLinears(config, targets);
}

/** A continued adapter keeps its own modules; the settings must describe it. */
function continuedModules({ config, pairs }: LoraAdapter, adapter: LoraSpec, linears: LinearModule[]): LinearModule[] {
  for (const [name, given, found] of [
    ['rank', adapter.rank, config.rank],
    ['alpha', adapter.alpha, config.alpha],
  ] as const) {
    if (given !== found) throw new TrainingError('invalid_spec', `adapter.${name} is ${given}, the adapter to continue has ${found}`);
  }
  for (const [name, { inputs, outputs }] of pairs) {
    const module = linears.find((linear) => linear.name === name);
    if (module?.inputs !== inputs || module.outputs !== outputs) {
      throw new TrainingError(
        'invalid_spec',
        `the adapter to continue adapts \`${name}\` [${outputs}, ${inputs}], which the base does not have`,
      );
    }
  }
  return linears.filter(({ name }) => pairs.has(name));
}

function loraConfig(base: string, { rank, alpha, dropout, targets }: LoraSpec, start: LoraAdapter | null): LoraConfig {
  return { base: start?.config.base ?? basename(base), rank, alpha, dropout, targets: start?.config.targets ?? targets };
}

function adapterOf(config: LoraConfig, modules: readonly LinearModule[], layout: FlatLayout, parameters: Float32Array): LoraAdapter {
  const pairs = modules.map(({ name, inputs, outputs }, place): [string, LoraPair] => [
    name,
    { inputs, outputs, a: viewOf(parameters, layout.slots[2 * place]!), b: viewOf(parameters, layout.slots[2 * place + 1]!) },
  ]);
  return { config, pairs: new Map(pairs) };
}
