import { type AdapterInfo, ApiError, type JobCreateBody, type ObjectLink } from '@tunefleet/contracts';

type Given = NonNullable<NonNullable<JobCreateBody['tunefleet']>['adapter']>;
type Lora = Extract<AdapterInfo, { type: 'lora' }>;

/** The adapter of the `ft:` model that a job continues: its training goes on, so its shape is given. */
export type ParentAdapter = Lora;

/** Linear layers of the Llama family, by the names PEFT uses. */
const LINEARS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];

const invalid = (key: string, message: string): ApiError => new ApiError('invalid_value', message, { param: `tunefleet.adapter${key}` });

/** The adapter that trains: as given, else the parent's, else the base's default (LoRA of rank 8, alpha 16). */
export function adapterOf(given: Given | undefined, byDefault: 'full' | 'lora', parent: ParentAdapter | null): AdapterInfo {
  if (parent) return continued(given, parent);
  // a rank says LoRA, whatever the base's default is
  const shaped = given !== undefined && (['rank', 'alpha', 'dropout', 'targets'] as const).some((key) => given[key] !== undefined);
  const type = given?.type ?? (shaped ? 'lora' : byDefault);
  if (type === 'full') {
    for (const key of ['rank', 'alpha', 'dropout', 'targets'] as const)
      if (given?.[key] !== undefined)
        throw invalid(`.${key}`, `'tunefleet.adapter.${key}' belongs to an adapter of type 'lora', not 'full'.`);
    return { type: 'full' };
  }
  return {
    type: 'lora',
    rank: given?.rank ?? 8,
    alpha: given?.alpha ?? 16,
    dropout: given?.dropout ?? 0,
    targets: targetsOf(given?.targets),
  };
}

function targetsOf(given: string | string[] | undefined): Lora['targets'] {
  if (given === undefined || given === 'all-linear') return 'all-linear';
  if (typeof given === 'string')
    throw invalid('.targets', `'tunefleet.adapter.targets' is 'all-linear' or a list of layer names, not '${given}'.`);
  const unknown = given.find((name) => !LINEARS.includes(name));
  if (unknown !== undefined) throw invalid('.targets', `'${unknown}' is no linear layer of this family. Known: ${LINEARS.join(', ')}.`);
  return LINEARS.filter((name) => given.includes(name));
}

function continued(given: Given | undefined, parent: ParentAdapter): AdapterInfo {
  if (given?.type === 'full')
    throw new ApiError(
      'not_supported',
      'Full tuning of a model that is an adapter is known but not built yet. Continue the adapter, or tune its base.',
      {
        param: 'tunefleet.adapter.type',
      },
    );
  for (const key of ['rank', 'alpha'] as const)
    if (given?.[key] !== undefined && given[key] !== parent[key])
      throw invalid(
        `.${key}`,
        `The model's adapter has ${key} ${parent[key]}; a job that continues it cannot change that to ${given[key]}.`,
      );
  if (given?.targets !== undefined && JSON.stringify(targetsOf(given.targets)) !== JSON.stringify(parent.targets))
    throw invalid(
      '.targets',
      `The model's adapter has targets ${JSON.stringify(parent.targets)}; a job that continues it cannot change them.`,
    );
  return { ...parent, dropout: given?.dropout ?? parent.dropout };
}

/** Reads the shape of an adapter from its PEFT folder's `adapter_config.json`. */
export async function readParentAdapter(files: ObjectLink[]): Promise<ParentAdapter> {
  const config = files.find((file) => file.path === 'adapter_config.json');
  if (!config) throw new ApiError('internal_error', 'The model to continue has an adapter without adapter_config.json.');
  const response = await fetch(config.url, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new ApiError('service_unavailable', `Reading the model's adapter_config.json answered ${response.status}.`);
  const peft = (await response.json()) as { r: number; lora_alpha: number; lora_dropout?: number; target_modules: string[] | string };
  const modules = typeof peft.target_modules === 'string' ? LINEARS : LINEARS.filter((name) => peft.target_modules.includes(name));
  return {
    type: 'lora',
    rank: peft.r,
    alpha: peft.lora_alpha,
    dropout: peft.lora_dropout ?? 0,
    targets: modules.length === LINEARS.length ? 'all-linear' : modules,
  };
}
