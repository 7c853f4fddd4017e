import { mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  type LoraAdapter,
  type LoraConfig,
  type LoraPair,
  llamaTensorShapes,
  loraTensorNames,
  openLlamaFolder,
  readLoraFolder,
  type TensorReader,
  writeLoraFolder,
} from '@tunefleet/model-formats';
import { adaptedLinears, addLora, initialLoraPair, type LinearModule } from '@tunefleet/models';
import { type FrozenSource, matmul, type Value, writeWeightsFile } from '@tunefleet/tensor';
import { type FlatLayout, flatLayout, viewOf } from '../parameters.js';
import { type LoraSpec, TrainingError } from '../spec.js';
import type { Trainable } from './trainable.js';

export interface LoraTuningOptions {
  base: string;
  adapter: LoraSpec;
  /** PEFT folder to go on from */
  continueFrom: string | undefined;
  seed: number;
  /** an empty or missing folder for the base's weights in the form that sessions map; removed on close */
  cache: string;
}

/** LoRA on a frozen base. The base's weights lie in one file that every compiled graph maps. */
export async function loraTuning({ base, adapter, continueFrom, seed, cache }: LoraTuningOptions): Promise<Trainable> {
  const { config, weights } = await openLlamaFolder(base);
  const start = continueFrom === undefined ? null : await readLoraFolder(continueFrom);
  const { rank, alpha, dropout } = adapter;
  const modules = start ? continuedModules(start, adapter, adaptedLinears(config, 'all-linear')) : adaptedLinears(config, adapter.targets);
  const layout = flatLayout(
    modules.flatMap(({ name, inputs, outputs }) => {
      const names = loraTensorNames(name);
      return [
        [names.a, [rank, inputs]],
        [names.b, [outputs, rank]],
      ] as const;
    }),
  );
  const sources = await frozenSources(weights, [...llamaTensorShapes(config).keys()], cache);
  await weights.close();
  const shapes = llamaTensorShapes(config);
  const maskOf = (module: string): string => `${module}.dropout`;
  return {
    config,
    layout,
    dropout: { probability: dropout, sites: dropout === 0 ? [] : modules.map(({ name, inputs }) => ({ input: maskOf(name), width: inputs })) },
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
      const frozen = new Map<string, Value>();
      const weight = (name: string): Value => {
        const known = frozen.get(name) ?? builder.frozen(name, shapes.get(name)!, sources[name]!);
        frozen.set(name, known);
        return known;
      };
      const linear = (module: string, x: Value): Value => {
        const y = matmul(x, weight(`${module}.weight`), { transB: true });
        const place = placeOf.get(module);
        if (place === undefined) return y;
        const mask = training && dropout > 0 ? { mask: builder.input(maskOf(module), 'f32', x.shape) } : {};
        return addLora(y, x, { a: parameters[2 * place]!, b: parameters[2 * place + 1]!, ...mask }, alpha / rank);
      };
      return { parameters, weight, linear };
    },
    write: (folder, parameters) => writeLoraFolder(folder, adapterOf(loraConfig(base, adapter, start), modules, layout, parameters)),
    close: () => rm(cache, { recursive: true, force: true }),
  };
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
      throw new TrainingError('invalid_spec', `the adapter to continue adapts \`${name}\` [${outputs}, ${inputs}], which the base does not have`);
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

async function frozenSources(reader: TensorReader, names: readonly string[], folder: string): Promise<Record<string, FrozenSource>> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'base.weights');
  // One tensor in memory at a time would need an asynchronous writer; float32 of the whole base is what a session maps anyway.
  const tensors: [string, Float32Array][] = [];
  for (const name of names) tensors.push([name, await reader.float32(name)]);
  return writeWeightsFile(file, tensors);
}
