import { ApiError, type BaseModelObject } from '@tunefleet/contracts';
import type { Store } from '../../store/records.js';
import { BUNDLED } from '../bundled.js';
import { bundledView, importView } from '../views.js';
import { importId } from './imports.js';

/** All bases that a project sees, its own also while they are imported, newest first. */
export async function baseModels(store: Store, project: string): Promise<BaseModelObject[]> {
  const own = [...store.imports.all()].filter((entry) => entry.project === project && !entry.deleting);
  const records = await Promise.all(own.map(({ id }) => store.imports.get(id)));
  const bundled = [...store.bases.all()].filter((base) => base.project === BUNDLED);
  return [...records.flatMap((record) => (record ? [importView(record.value)] : [])), ...bundled.map(bundledView)].sort(
    (a, b) => b.created_at - a.created_at || (a.id < b.id ? 1 : -1),
  );
}

/** 404 `model_not_found`, also for another project's. */
export async function findBaseModel(store: Store, project: string, name: string): Promise<BaseModelObject> {
  const own = (await store.imports.get(importId(project, name)))?.value;
  if (own && !own.deleting) return importView(own);
  const bundled = (await store.bases.get(`${BUNDLED}/${name}`))?.value;
  if (bundled) return bundledView(bundled);
  throw new ApiError('model_not_found', `There is no base model '${name}'. GET /v1/base_models lists those of this project.`, {
    param: 'name',
  });
}
