import { basename } from 'node:path';
import { type LlamaConfig, llamaTensorShapes, openWeights, readLoraFolder, writeLoraFolder } from '@tunefleet/model-formats';
import {
  adaptableLanguageModel,
  type BasePrecision,
  type BaseWeights,
  causalLlama,
  languageAdapterFault,
  openBaseWeights,
  savedConfig,
  savedFrom,
  savedWeights,
  unreadWeights,
} from '@tunefleet/models';
import { openWhole } from '../open-whole.js';
import { type LoraSpec, TrainingError } from '../spec.js';
import { grownConfig, grownRows } from './grow-vocabulary.js';
import { type AdaptedModel, loraGraph } from './lora-graph.js';
import { continuedLoraPlan, type LoraPlan, newAdapter, newLoraPlan, type PlanData, place, planData, planOf, trained } from './lora-plan.js';
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

/** LoRA of a language model on a frozen base. */
export function loraTuning(options: LoraTuningOptions): Promise<Trainable> {
  const { base, baseName = basename(base), precision, adapter, vocabulary, continueFrom, seed, scratch } = options;
  return openWhole(async (held) => {
    const start = continueFrom === undefined ? null : await readLoraFolder(continueFrom);
    if (start?.config.task === 'SEQ_CLS')
      throw new TrainingError(
        'invalid_spec',
        "the adapter to continue is a classifier's (SEQ_CLS); it goes on with task.type classification",
      );
    const weights = await openBaseWeights(base, { precision, scratch });
    held(() => weights.release());
    const { config } = weights;
    const plan = start
      ? continuedLoraPlan(adaptableLanguageModel(config), start, adapter, languageAdapterFault(config, start))
      : newLoraPlan(adaptableLanguageModel(grownConfig(config, vocabulary)), adapter);
    checkVocabulary(savedConfig(config, plan.saved), plan, vocabulary);
    const graph = languageModelGraph({ config, precision, dropout: adapter.dropout, plan: planData(plan) }, weights.in);
    const { layout } = graph;
    return {
      ...graph,
      async initialize(parameters) {
        place(plan, layout, parameters, start ?? (await newLanguageAdapter(base, config, adapter, plan, seed)));
      },
      async write(folder, parameters) {
        const { type: _lora, ...settings } = adapter;
        const written = start ? { ...start.config, dropout: adapter.dropout } : { ...settings, base: baseName };
        await writeLoraFolder(folder, { config: written, ...trained(plan, layout, parameters) });
        const grown = savedConfig(config, plan.saved).vocabularySize > config.vocabularySize;
        if (grown || vocabulary !== undefined) await copyTokenizerFiles(base, folder);
      },
      close: () => weights.release(),
    };
  });
}

/** LoRA on a base of which only the configuration is known: its graph can be made, not run. */
export const plannedLora = (config: LlamaConfig, precision: BasePrecision, adapter: LoraSpec): ModelGraph =>
  languageModelGraph(
    { config, precision, dropout: adapter.dropout, plan: planData(newLoraPlan(adaptableLanguageModel(config), adapter)) },
    unreadWeights(config, precision),
  );

interface LanguageModelRecipe {
  config: LlamaConfig;
  precision: BasePrecision;
  dropout: number;
  plan: PlanData;
}

const languageModelGraph = (recipe: LanguageModelRecipe, frozen: BaseWeights['in']): ModelGraph =>
  fromRecipe('lora', recipe, ({ config, dropout, plan: data }) => {
    const plan = planOf(data);
    const own = savedConfig(config, plan.saved);
    const shapes = llamaTensorShapes(own);
    const model: AdaptedModel = {
      network: causalLlama(own),
      weights(builder, whole) {
        const weight = savedWeights(config, frozen(builder), whole);
        return (name) => (shapes.has(name) ? weight(name) : undefined);
      },
    };
    return loraGraph(model, plan, dropout);
  });

/** Added tokens are learned in embedding and head. */
function checkVocabulary({ vocabularySize }: LlamaConfig, { saved }: LoraPlan, vocabulary: number | undefined): void {
  if (vocabulary === undefined) return;
  if (!saved.has('model.embed_tokens.weight') || !saved.has('lm_head.weight'))
    throw new TrainingError('invalid_spec', 'vocabulary needs embed_tokens and lm_head in adapter.modules_to_save');
  if (vocabulary > vocabularySize)
    throw new TrainingError('invalid_spec', `vocabulary is ${vocabulary}; the adapter to continue has ${vocabularySize} tokens`);
}

async function newLanguageAdapter(base: string, config: LlamaConfig, adapter: LoraSpec, plan: LoraPlan, seed: number) {
  const reader = await openWeights(base);
  try {
    const initial = async (name: string, shape: readonly number[]) => grownRows(await reader.float32(savedFrom(config, name)), shape);
    return await newAdapter(plan, adapter, seed, initial);
  } finally {
    await reader.close();
  }
}
