import { type LlamaConfig, type LoraAdapter, type LoraSettings, loraMatcher } from '@tunefleet/model-formats';
import { type Adaptable, adaptableLanguageModel } from './adaptable.js';
import { adaptedLinears } from './lora.js';
import { savedConfig, savedTensors } from './saved-modules.js';

/** Why settings cannot be followed on a model: the setting's name and what is wrong; null where they can. */
export function loraFault(model: Adaptable, settings: LoraSettings): { setting: keyof LoraSettings; message: string } | null {
  const linears = model.linears.map(({ name }) => name);
  const matrices = [...model.tensors].flatMap(([name, { length }]) => (length === 2 ? [name.replace(/\.weight$/, '')] : []));
  const { targets } = settings;
  const matches = (changes: Partial<LoraSettings>, names: readonly string[]): boolean =>
    names.some(loraMatcher({ rank: 1, alpha: 1, dropout: 0, targets: 'all-linear', ...changes }).adapts);
  if (typeof targets !== 'string') {
    const unknown = targets.find((target) => !matches({ targets: [target] }, linears));
    if (unknown !== undefined) return { setting: 'targets', message: `\`${unknown}\` names no linear layer of this model` };
  } else if (targets !== 'all-linear') {
    if (!matches({ targets }, linears)) return { setting: 'targets', message: `\`${targets}\` matches no linear layer of this model` };
    const { adapts } = loraMatcher({ ...settings, modules_to_save: null, exclude_modules: null });
    const other = matrices.find((name) => !linears.includes(name) && adapts(name));
    if (other !== undefined) return { setting: 'targets', message: `\`${targets}\` matches \`${other}\`, which takes no factors here` };
  }
  const layer = settings.layers_to_transform?.find((index) => index >= model.layers);
  if (layer !== undefined) return { setting: 'layers_to_transform', message: `layer ${layer} of a model of ${model.layers}` };
  for (const name of settings.modules_to_save ?? [])
    if (!model.optional.includes(name) && savedTensors(model, { ...settings, modules_to_save: [name] }).size === 0)
      return { setting: 'modules_to_save', message: `\`${name}\` names no module of this model` };
  const adapted = adaptedLinears(model, settings).map(({ name }) => name);
  if (adapted.length === 0) return { setting: 'targets', message: 'no linear layer is left to adapt' };
  const saved = savedTensors(model, settings);
  const both = adapted.find((name) => saved.has(`${name}.weight`));
  if (both !== undefined) return { setting: 'modules_to_save', message: `\`${both}\` would be adapted and trained whole; name it in full` };
  for (const setting of ['rank_pattern', 'alpha_pattern'] as const)
    for (const key of Object.keys(settings[setting] ?? {}))
      if (!matches({ targets: `(?:.*\\.)?(?:${key})` }, adapted)) return { setting, message: `\`${key}\` matches no adapted layer` };
  return null;
}

/** Why an adapter does not fit a model: the tensor and its shape; null where it does. */
export function adapterFault({ linears, tensors }: Adaptable, { pairs, saved }: Pick<LoraAdapter, 'pairs' | 'saved'>): string | null {
  const modules = new Map(linears.map((module) => [module.name, module]));
  for (const [name, { inputs, outputs }] of pairs) {
    const module = modules.get(name);
    if (module?.inputs !== inputs || module.outputs !== outputs) return `\`${name}\` [${outputs}, ${inputs}]`;
  }
  for (const [name, { shape }] of saved) if (tensors.get(name)?.join() !== shape.join()) return `\`${name}\` [${shape.join(', ')}]`;
  return null;
}

/** The same of a language model, whose vocabulary the adapter may extend. */
export function languageAdapterFault(config: LlamaConfig, adapter: LoraAdapter): string | null {
  const { saved } = adapter;
  const own = savedConfig(config, saved);
  const fault = adapterFault(adaptableLanguageModel(own), adapter);
  if (fault !== null) return fault;
  // An embedding of more tokens than the head, or the other way round.
  const rows = own.vocabularySize;
  const alone = saved.has('model.embed_tokens.weight') !== saved.has('lm_head.weight');
  return alone && rows !== config.vocabularySize ? `a vocabulary of ${rows} in one of embedding and head` : null;
}
