import { type AdapterInfo, ApiError, type JobCreateBody, type ObjectLink } from '@tunefleet/contracts';
import {
  CLASSIFIER_HEADS,
  LoraSettingError,
  type LoraSettings,
  loraMatcher,
  parseLoraConfig,
  wholeLoraSettings,
} from '@tunefleet/model-formats';
import type { ModuleNames } from './module-names.js';
import type { Settings } from './settings.js';

type Given = NonNullable<NonNullable<JobCreateBody['tunefleet']>['adapter']>;
type Lora = Extract<AdapterInfo, { type: 'lora' }>;

/** The adapter of the `ft:` model that a job continues: its training goes on, so its shape is given. */
export type ParentAdapter = Lora;

/** Settings of an adapter of type `lora`, each with what says that it is not set. */
const KEYS = [
  'rank',
  'alpha',
  'dropout',
  'targets',
  'rank_pattern',
  'alpha_pattern',
  'use_rslora',
  'layers_to_transform',
  'layers_pattern',
  'exclude_modules',
  'modules_to_save',
] as const satisfies (keyof LoraSettings)[];

const invalid = (key: string, message: string): ApiError => new ApiError('invalid_value', message, { param: `tunefleet.adapter${key}` });

/** The adapter that trains: as given, else the parent's, else the base's default (LoRA of rank 8, alpha 16). */
export function adapterOf(given: Given = {}, byDefault: 'full' | 'lora', parent: ParentAdapter | null, names: ModuleNames): AdapterInfo {
  if (parent) return continued(given, parent, names);
  const set = KEYS.find((key) => given[key] != null);
  // a rank says LoRA, whatever the base's default is
  const type = given.type ?? (set === undefined ? byDefault : 'lora');
  if (type === 'full') {
    if (set !== undefined) throw invalid(`.${set}`, `'tunefleet.adapter.${set}' belongs to an adapter of type 'lora', not 'full'.`);
    return { type: 'full' };
  }
  const settings = settingsOf(given, { rank: 8, alpha: 16, dropout: 0, targets: 'all-linear' }, names);
  check(settings, names);
  return { type: 'lora', ...settings };
}

/** The head of a classifier is trained whole, under PEFT's names of it. */
export function withHead(adapter: AdapterInfo, task: Settings['task']): AdapterInfo {
  if (adapter.type === 'full' || task !== 'classification') return adapter;
  return { ...adapter, modules_to_save: [...new Set([...(adapter.modules_to_save ?? []), ...CLASSIFIER_HEADS])] };
}

/** The settings that are given, over others. */
function settingsOf(given: Given, otherwise: LoraSettings, names: ModuleNames): Omit<Lora, 'type'> {
  const set = Object.fromEntries(KEYS.flatMap((key) => (given[key] == null ? [] : [[key, given[key]]])));
  const whole = wholeLoraSettings({ ...otherwise, ...set });
  return { ...whole, targets: typeof given.targets === 'object' ? targetsOf(given.targets, names) : whole.targets } as Omit<Lora, 'type'>;
}

function targetsOf(given: readonly string[], { targets, linears }: ModuleNames): Lora['targets'] {
  const unknown = given.find((name) => !targets.includes(name) && !linears.includes(name));
  if (unknown !== undefined) throw invalid('.targets', `'${unknown}' is no linear layer of this model. Known: ${targets.join(', ')}.`);
  return [...targets, ...linears].filter((name) => given.includes(name));
}

/** Targets that a PEFT folder names, in the order in which a job answers them; PEFT writes every linear as the list of their names. */
function inOrder(found: readonly string[] | string, { targets, linears }: ModuleNames): readonly string[] | string {
  if (typeof found === 'string') return found;
  if (targets.every((name) => found.includes(name))) return 'all-linear';
  const place = (name: string): number => [...targets, ...linears].indexOf(name);
  return found.toSorted((a, b) => place(a) - place(b));
}

/** What can be told without the model's files. Throws `invalid_value`. */
function check(settings: LoraSettings, { linears, others }: ModuleNames): void {
  try {
    const { adapts } = loraMatcher(settings);
    if (!linears.some(adapts))
      throw invalid(
        '.targets',
        `'tunefleet.adapter.targets' and the settings beside it leave no linear layer to adapt; a module is called e.g. '${linears[0]}'.`,
      );
    for (const name of settings.modules_to_save ?? []) {
      const { saves } = loraMatcher({ ...settings, modules_to_save: [name] });
      if (![...linears, ...others].some(saves))
        throw invalid(
          '.modules_to_save',
          `'${name}' names no module of this model; e.g. ${others.map((one) => `'${one}'`).join(', ')} do.`,
        );
    }
  } catch (error) {
    if (error instanceof LoraSettingError) throw invalid(`.${error.setting}`, `'tunefleet.adapter': ${error.message}.`);
    throw error;
  }
}

function continued(given: Given, parent: ParentAdapter, names: ModuleNames): AdapterInfo {
  if (given.type === 'full')
    throw new ApiError(
      'not_supported',
      'Full tuning of a model that is an adapter is known but not built yet. Continue the adapter, or tune its base.',
      {
        param: 'tunefleet.adapter.type',
      },
    );
  const kept = wholeLoraSettings({ ...parent, targets: inOrder(parent.targets, names) });
  const wanted = settingsOf(given, kept, names);
  for (const key of KEYS)
    if (key !== 'dropout' && JSON.stringify(wanted[key]) !== JSON.stringify(kept[key]))
      throw invalid(
        `.${key}`,
        `The model's adapter has ${key} ${JSON.stringify(kept[key])}; a job that continues it cannot change that to ${JSON.stringify(wanted[key])}.`,
      );
  return { type: 'lora', ...wanted };
}

/** Reads the shape of an adapter from its PEFT folder's `adapter_config.json`. */
export async function readParentAdapter(files: ObjectLink[]): Promise<ParentAdapter> {
  const config = files.find((file) => file.path === 'adapter_config.json');
  if (!config) throw new ApiError('internal_error', 'The model to continue has an adapter without adapter_config.json.');
  const response = await fetch(config.url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new ApiError('service_unavailable', `Reading the model's adapter_config.json answered ${response.status}.`);
  const { base: _base, task: _task, ...settings } = parseLoraConfig((await response.json()) as Parameters<typeof parseLoraConfig>[0]);
  return { type: 'lora', ...settings } as ParentAdapter;
}
