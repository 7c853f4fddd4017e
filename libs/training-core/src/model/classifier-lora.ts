import { basename } from 'node:path';
import {
  type Backbone,
  blockLinears,
  CLASSIFIER_HEADS,
  headShapes,
  type LoraAdapter,
  readAdapterLabels,
  readLoraFolder,
  writeAdapterLabels,
  writeLoraFolder,
} from '@tunefleet/model-formats';
import {
  type Adaptable,
  adaptableClassifier,
  adapterFault,
  type BasePrecision,
  type BaseWeights,
  classifierOf,
  mapWeights,
  unreadTensors,
  wholeNetwork,
} from '@tunefleet/models';
import { releaseAll } from '@tunefleet/tensor';
import { openWhole } from '../open-whole.js';
import { type LoraSpec, TrainingError } from '../spec.js';
import { type ClassifierBase, inOrder, openClassifierBase, sameClasses } from './classifier-base.js';
import type { LoraTuningOptions } from './lora.js';
import { type AdaptedModel, loraGraph } from './lora-graph.js';
import { continuedLoraPlan, newAdapter, newLoraPlan, type PlanData, place, planData, planOf, trained } from './lora-plan.js';
import { fromRecipe } from './recipe.js';
import type { ModelGraph, Trainable } from './trainable.js';

export interface ClassifierLoraOptions extends Omit<LoraTuningOptions, 'vocabulary'> {
  labels: readonly string[];
}

/**
 * LoRA of a sequence classifier on a frozen base, in PEFT's layout for SEQ_CLS: the head is trained whole and stored beside the factors, as
 * is the pooler of a BERT that was trained without one. `labels.json` beside them names the classes.
 */
export function classifierLoraTuning(options: ClassifierLoraOptions): Promise<Trainable> {
  const { base, baseName = basename(base), labels, precision, adapter, continueFrom, seed, scratch } = options;
  return openWhole(async (held) => {
    const opened = await openClassifierBase(base, labels, seed);
    const { backbone, body, head, weights } = opened;
    held(() => weights.close());
    const settings = withHead(adapter, opened);
    const model = adaptableClassifier(backbone, new Map([...body, ...head]));
    const start = continueFrom === undefined ? null : await startFrom(continueFrom, opened);
    const plan = start ? continuedLoraPlan(model, start, settings, adapterFault(model, start)) : newLoraPlan(model, settings);
    const frozen = await mapWeights(weights, body, scratch, quantizedIn(model, precision));
    held(() => frozen.release());
    const recipe = { backbone, body: [...body], precision, dropout: adapter.dropout, plan: planData(plan) };
    const graph = classifierLoraGraph(recipe, frozen.in);
    return {
      ...graph,
      async initialize(parameters) {
        place(plan, graph.layout, parameters, start ?? (await newAdapter(plan, settings, seed, opened.initial)));
      },
      async write(folder, parameters) {
        const written = start ? { ...start.config, dropout: adapter.dropout } : { ...settings, base: baseName };
        await writeLoraFolder(folder, { config: { ...written, task: 'SEQ_CLS' }, ...trained(plan, graph.layout, parameters) });
        await writeAdapterLabels(folder, labels);
      },
      close: () => releaseAll([() => weights.close(), () => frozen.release()]),
    };
  });
}

/** LoRA of a classifier of which only the tensors' names and shapes need be known, its head a new one: its graph can be made, not run. */
export function plannedClassifierLora(
  backbone: Backbone,
  { body, head }: Pick<ClassifierBase, 'body' | 'head'>,
  precision: BasePrecision,
  adapter: LoraSpec,
): ModelGraph {
  const model = adaptableClassifier(backbone, new Map([...body, ...head]));
  const plan = planData(newLoraPlan(model, withHead(adapter, { head })));
  const recipe = { backbone, body: [...body], precision, dropout: adapter.dropout, plan };
  return classifierLoraGraph(recipe, unreadTensors(body, quantizedIn(model, precision)));
}

interface ClassifierLoraRecipe {
  backbone: Backbone;
  /** the base's tensors */
  body: (readonly [name: string, shape: readonly number[]])[];
  precision: BasePrecision;
  dropout: number;
  plan: PlanData;
}

const classifierLoraGraph = (recipe: ClassifierLoraRecipe, frozen: BaseWeights['in']): ModelGraph =>
  fromRecipe('classifier-lora', recipe, ({ backbone, body, dropout, plan }) => {
    const known = new Set(body.map(([name]) => name));
    const adapted: AdaptedModel = {
      network: wholeNetwork(classifierOf(backbone)),
      weights(builder, whole) {
        const still = frozen(builder);
        return (name) => whole.get(name) ?? (known.has(name) ? still(name) : undefined);
      },
    };
    return loraGraph(adapted, planOf(plan), dropout);
  });

/** What is new is trained whole: PEFT's names of a head, and the pooler where the base has none. */
function withHead({ type: _lora, ...settings }: LoraSpec, { head }: Pick<ClassifierBase, 'head'>) {
  const pooler = head.has('bert.pooler.dense.weight') ? ['pooler'] : [];
  return { ...settings, modules_to_save: [...new Set([...(settings.modules_to_save ?? []), ...CLASSIFIER_HEADS, ...pooler])] };
}

/** The adapter of a folder. Its head goes on where it has the same classes (or names none); else a new one takes its place. */
async function startFrom(folder: string, { backbone, labels, initial }: ClassifierBase): Promise<LoraAdapter> {
  const adapter = await readLoraFolder(folder);
  if (adapter.config.task !== 'SEQ_CLS')
    throw new TrainingError(
      'invalid_spec',
      "the adapter to continue is a language model's; a classifier goes on from a classifier's (SEQ_CLS)",
    );
  const own = (await readAdapterLabels(folder)) ?? labels;
  const saved = new Map(adapter.saved);
  for (const [name, shape] of headShapes(backbone, labels.length)) {
    const known = adapter.saved.get(name)?.values;
    const values = known && sameClasses(own, labels) ? inOrder(known, own, labels) : await initial(name);
    saved.set(name, { shape: known && own === labels ? adapter.saved.get(name)!.shape : shape, values });
  }
  return { ...adapter, saved };
}

const quantizedIn = ({ tensors }: Adaptable, precision: ClassifierLoraOptions['precision']): ReadonlySet<string> =>
  new Set(precision === 'int4' ? blockLinears(tensors).map(({ name }) => `${name}.weight`) : []);
