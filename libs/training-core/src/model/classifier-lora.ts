import { basename } from 'node:path';
import {
  blockLinears,
  CLASSIFIER_HEADS,
  headShapes,
  type LoraAdapter,
  readAdapterLabels,
  readLoraFolder,
  writeAdapterLabels,
  writeLoraFolder,
} from '@tunefleet/model-formats';
import { type Adaptable, adaptableClassifier, adapterFault, mapWeights } from '@tunefleet/models';
import { type LoraSpec, TrainingError } from '../spec.js';
import { type ClassifierBase, inOrder, openClassifierBase, sameClasses } from './classifier-base.js';
import type { LoraTuningOptions } from './lora.js';
import { loraGraph } from './lora-graph.js';
import { continuedLoraPlan, newAdapter, newLoraPlan, place, trained } from './lora-plan.js';
import { adaptedClassifier, frozenBody } from './planned-classifier.js';
import type { Trainable } from './trainable.js';

export interface ClassifierLoraOptions extends Omit<LoraTuningOptions, 'vocabulary'> {
  labels: readonly string[];
}

/**
 * LoRA of a sequence classifier on a frozen base, in PEFT's layout for SEQ_CLS: the head is trained whole and stored beside the factors, as is the
 * pooler of a BERT that was trained without one. `labels.json` beside them names the classes.
 */
export async function classifierLoraTuning(options: ClassifierLoraOptions): Promise<Trainable> {
  const { base, baseName = basename(base), labels, precision, adapter, continueFrom, seed, scratch } = options;
  const opened = await openClassifierBase(base, labels, seed);
  try {
    const { backbone, body, head, weights } = opened;
    const settings = withHead(adapter, opened);
    const model = adaptableClassifier(backbone, new Map([...body, ...head]));
    const start = continueFrom === undefined ? null : await startFrom(continueFrom, opened);
    const plan = start ? continuedLoraPlan(model, start, settings, adapterFault(model, start)) : newLoraPlan(model, settings);
    const frozen = await mapWeights(weights, body, scratch, quantizedIn(model, precision));
    const adapted = adaptedClassifier(
      backbone,
      frozenBody(body, (builder) => frozen.in(builder)),
    );
    const graph = loraGraph(adapted, plan, adapter.dropout);
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
      async close() {
        await weights.close();
        await frozen.release();
      },
    };
  } catch (error) {
    await opened.weights.close();
    throw error;
  }
}

/** What is new is trained whole: PEFT's names of a head, and the pooler where the base has none. */
function withHead({ type: _lora, ...settings }: LoraSpec, { head }: ClassifierBase) {
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
