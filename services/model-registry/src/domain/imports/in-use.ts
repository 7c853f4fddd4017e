import { ApiError } from '@tunefleet/contracts';
import type { Store } from '../../store/records.js';

/** Errors: `model_in_use` while an alias stands for the base, an adapter is over it or a version was tuned from it. */
export function requireUnused(store: Store, project: string, name: string): void {
  const alias = [...store.aliases.all()].find((one) => one.project === project && one.model === name);
  if (alias) throw inUse(`Alias '${alias.name}' stands for '${name}'. Move or delete the alias first.`);
  const adapter = [...store.imports.all()].find((one) => one.project === project && one.base === name && one.work.state !== 'failed');
  if (adapter) throw inUse(`'${adapter.name}' is an adapter over '${name}' and needs its weights. Delete that one first.`);
  const version = [...store.versions.all()].find((one) => one.project === project && one.base === name);
  if (version) throw inUse(`'${version.id}' was tuned from '${name}' and needs its weights. Delete that one first.`);
}

const inUse = (message: string): ApiError => new ApiError('model_in_use', message, { param: 'name' });
