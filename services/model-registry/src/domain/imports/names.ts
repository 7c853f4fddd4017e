import { ApiError } from '@tunefleet/contracts';
import type { Store } from '../../store/records.js';

/** A base model's name must not hide, or be hidden by, one that came with the fleet or an alias of the project. Errors: `invalid_value`. */
export async function refuseTakenName(store: Store, project: string, name: string): Promise<void> {
  const bundled = [...store.bases.all()].some((base) => base.name === name && base.project.startsWith('_'));
  if (bundled) throw refusal(`'${name}' is a base model that came with this fleet`);
  const alias = (await store.aliases.get(`${project}/${name}`))?.value;
  if (alias) throw refusal(`'${name}' is an alias of this project`);
}

const refusal = (what: string): ApiError => new ApiError('invalid_value', `${what}; choose another name.`, { param: 'name' });
