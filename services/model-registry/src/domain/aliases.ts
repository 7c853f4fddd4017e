import { ApiError, type GateRule } from '@tunefleet/contracts';
import type { Store } from '../store/records.js';
import type { AliasRecord } from '../store/schemas.js';
import { judge, type Results, requirePassed } from './gate.js';
import { find } from './resolve.js';

const now = (): number => Math.floor(Date.now() / 1000);
const idOf = (project: string, name: string): string => `${project}/${name}`;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

function checkName(name: string): void {
  if (!NAME.test(name))
    throw new ApiError(
      'invalid_value',
      `An alias is 1 to 128 letters, digits, '.', '_' or '-', beginning with a letter or digit; not '${name}'.`,
      { param: 'name' },
    );
}

export const missingAlias = (name: string): ApiError =>
  new ApiError('alias_not_found', `The alias '${name}' does not exist. GET /v1/model_aliases lists those of this project.`, {
    param: 'name',
  });

export async function getAlias(store: Store, project: string, name: string): Promise<AliasRecord> {
  const found = await store.aliases.get(idOf(project, name));
  if (!found) throw missingAlias(name);
  return found.value;
}

/** Create the record or change it by compare-and-set, whichever holds when it is written. */
async function upsert(store: Store, project: string, name: string, change: (alias: AliasRecord) => AliasRecord): Promise<AliasRecord> {
  const time = now();
  const id = idOf(project, name);
  await store.aliases.create({ id, project, created_at: time, schema: 1, name, model: null, updated_at: time, gate: null });
  return (await store.aliases.update(id, change)).value;
}

export async function putGate(store: Store, project: string, name: string, rules: GateRule[]): Promise<AliasRecord> {
  checkName(name);
  return upsert(store, project, name, (alias) => ({ ...alias, gate: { rules, updated_at: now() }, updated_at: now() }));
}

/**
 * Move an alias. Onto a base it needs no gate; onto a version its gate must pass on exactly these weights.
 * A gate that is changed while its rules are judged is judged again: the rules that passed are the ones that guard the move.
 * Errors: `model_not_found`, `gate_missing`, `gate_not_passed`, `invalid_value` for a name that a base already has.
 */
export async function putAlias(store: Store, project: string, name: string, model: string, results: Results): Promise<AliasRecord> {
  checkName(name);
  await refuseShadowing(store, project, name);
  const { base, version } = await find(store, project, model);
  if (!version) return upsert(store, project, name, (alias) => ({ ...alias, model: base.name, updated_at: now() }));
  for (;;) {
    const gate = (await store.aliases.get(idOf(project, name)))?.value.gate;
    if (!gate) {
      throw new ApiError(
        'gate_missing',
        `Alias '${name}' has no gate, so '${model}' cannot be promoted. An admin key sets one: PUT /v1/model_aliases/${name}/gate {"rules": [{"eval": "eval_...", "metric": "pass_rate", "min": 0.8}]}.`,
        { param: 'model' },
      );
    }
    requirePassed(name, version.id, await judge(gate.rules, version.manifest.weights_sha256, base.weights_sha256, results));
    const judged = JSON.stringify(gate.rules);
    const stored = await upsert(store, project, name, (alias) =>
      JSON.stringify(alias.gate?.rules) === judged ? { ...alias, model: version.id, updated_at: now() } : alias,
    );
    if (stored.model === version.id && JSON.stringify(stored.gate?.rules) === judged) return stored;
  }
}

/** An alias named as a model would hide it from everybody who means the model. */
async function refuseShadowing(store: Store, project: string, name: string): Promise<void> {
  const taken = [...store.bases.all(), ...store.imports.all()].some(
    (base) => base.name === name && (base.project === project || base.project.startsWith('_')),
  );
  if (!taken) return;
  throw new ApiError('invalid_value', `'${name}' is the name of a base model; choose another name for the alias.`, { param: 'name' });
}

/** Take the name away. A gate stays behind: only an admin key may change what guards a name. */
export async function deleteAlias(store: Store, project: string, name: string): Promise<void> {
  const alias = await getAlias(store, project, name);
  if (alias.model === null) throw missingAlias(name);
  if (alias.gate) await store.aliases.update(alias.id, (current) => ({ ...current, model: null, updated_at: now() }));
  else await store.aliases.delete(alias.id);
}
