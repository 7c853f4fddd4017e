import { ApiError, type CreateBaseModelBody, deriveId } from '@tunefleet/contracts';
import { isFinished, openWork, startWorker, type WorkOwner } from '@tunefleet/jobs';
import type { Bus } from '@tunefleet/messaging';
import type { ObjectStore } from '@tunefleet/object-store';
import type { Store } from '../../store/records.js';
import type { BaseRecord, ImportRecord, ImportResult } from '../../store/schemas.js';
import { defaultSettings } from '../default-settings.js';
import { find } from '../resolve.js';
import type { Hub } from './hub.js';
import { refuseTakenName } from './names.js';
import { type ImportSpec, objectPrefix, workOnImport } from './work.js';

const QUEUE = 'import';
/** Imports at the same time, of all projects and replicas: each takes the disk space of its model twice. */
const SLOTS = 1;

const seconds = (): number => Math.floor(Date.now() / 1000);

/** The import of a name; there is at most one. */
export const importId = (project: string, name: string): string => deriveId('baseModel', project, name);

export interface ImportParts {
  bus: Bus;
  objects: ObjectStore;
  store: Store;
  hub: Hub;
  /** A folder of this process's own, with room for a model twice. */
  scratch: string;
  leaseMs: number;
}

/** Imports of base models as durable work: this service owns them and works on them too; replicas share both. */
export interface Imports {
  /** `request` tells a repeated request from another one for the same name. Errors: `invalid_value` for a name that is taken. */
  create(project: string, request: string, body: CreateBaseModelBody): Promise<ImportRecord>;
  /** Ends it where it runs, and takes away what it made. */
  remove(record: ImportRecord): Promise<void>;
  /** Finishes what processes that were killed left half done. */
  sweep(): Promise<void>;
  ready(): boolean;
  drain(): Promise<void>;
}

export async function openImports(parts: ImportParts): Promise<Imports> {
  const { bus, objects, store, leaseMs } = parts;
  const discard = (record: Pick<ImportRecord, 'project' | 'request'>): Promise<void> => objects.deletePrefix(objectPrefix(record));

  const owner: WorkOwner<ImportRecord> = await openWork(bus, {
    service: 'model-registry',
    records: store.imports,
    queues: [QUEUE],
    slots: { [QUEUE]: SLOTS },
    leaseMs,
    reconcileMs: Math.min(1000, leaseMs / 4), // looks further apart than half a lease count as outages
    onClaim: async ({ project, source, request, base }): Promise<ImportSpec> => ({
      ...{ source, request },
      base: base === null ? null : beneath((await find(store, project, base)).base),
    }),
    onComplete: async (record, _attempt, result) => {
      if (record.deleting) throw new ApiError('invalid_state', 'The base model was deleted while it was imported.');
      await store.bases.create(baseOf(record, result as ImportResult));
      return {};
    },
    onChange: (record) => {
      if (record.work.state !== 'failed') return;
      discard(record).catch((err: unknown) => bus.logger.warn({ err, id: record.id }, 'what a failed import stored is left to the sweep'));
    },
  });
  const worker = startWorker(bus, {
    owner: 'model-registry',
    queue: QUEUE,
    heartbeatMs: leaseMs / 3,
    run: async (claim, context) => {
      const outcome = await workOnImport(parts, claim, context);
      const { request } = claim.spec as ImportSpec;
      // Deleted meanwhile: what was stored behind the back of the deletion goes too.
      const gone = context.signal.aborted && (await store.imports.get(claim.id))?.value.request !== request;
      if (gone) await discard({ project: claim.project, request });
      return outcome;
    },
  });

  /** In this order, so that whatever line a process dies at, the sweep or the next wish of the same kind goes on. */
  const finishRemoval = async (record: ImportRecord): Promise<void> => {
    await owner.move(record.id, 'cancel', { repeat: true }).catch((error: unknown) => {
      if (!(error instanceof ApiError) || !['invalid_state', 'not_found'].includes(error.code)) throw error;
    });
    const now = (await store.imports.get(record.id))?.value;
    if (now && !isFinished(now.work.state)) throw new ApiError('service_unavailable', `'${record.name}' is being registered just now.`);
    await store.bases.delete(`${record.project}/${record.name}`);
    await discard(record);
    await store.imports.delete(record.id);
  };

  return {
    async create(project, request, { name, source, base }) {
      const id = importId(project, name);
      const existing = (await store.imports.get(id))?.value;
      if (existing?.request === request) return existing;
      await refuseTakenName(store, project, name);
      const under = base === undefined ? null : await requireBase(store, project, base);
      if (existing) {
        if (existing.work.state !== 'failed' && !existing.deleting) throw taken(name);
        await finishRemoval(existing);
      }
      const record = { id, project, created_at: seconds(), schema: 1 as const, name, request, source, base: under, deleting: false };
      const { value } = await owner.submit(record, { queue: QUEUE, kind: 'import' });
      if (value.request !== request) throw taken(name);
      return value;
    },
    async remove(record) {
      await store.imports.update(record.id, (current) => (current.deleting ? null : { ...current, deleting: true }));
      await finishRemoval(record);
    },
    async sweep() {
      for (const { id, project, request, deleting, work } of [...store.imports.all()]) {
        const record = deleting ? (await store.imports.get(id))?.value : null;
        if (record) await finishRemoval(record);
        else if (work.state === 'failed') await discard({ project, request });
      }
    },
    ready: () => owner.ready(),
    async drain() {
      await worker.drain();
      await owner.drain();
    },
  };
}

/** The base's own name. Errors: `model_not_found`, `not_supported` with param `base`. */
async function requireBase(store: Store, project: string, name: string): Promise<string> {
  const { base, version } = await find(store, project, name).catch((error: unknown) => {
    if (error instanceof ApiError) throw new ApiError(error.code, error.message, { param: 'base' });
    throw error;
  });
  if (version) throw new ApiError('not_supported', `'${name}' is a tuned model; an adapter is put over a base.`, { param: 'base' });
  if (base.adapter)
    throw new ApiError(
      'not_supported',
      `'${name}' is an adapter itself, over '${base.adapter.over}'; an adapter is put over a whole model.`,
      {
        param: 'base',
      },
    );
  return base.name;
}

const beneath = ({ name, files, weights_sha256, parameters, context, head = 'language_model' }: BaseRecord): ImportSpec['base'] => ({
  name,
  files,
  described: { weights_sha256, parameters, context, head },
});

const taken = (name: string): ApiError =>
  new ApiError('invalid_value', `There is a base model '${name}' already. Choose another name, or delete that one first.`, {
    param: 'name',
  });

const baseOf = ({ project, name, created_at }: ImportRecord, result: ImportResult): BaseRecord => ({
  ...{ id: `${project}/${name}`, project, created_at, schema: 1, name },
  ...result,
  ...defaultSettings(result.head),
  ...(result.adapter ? { default_adapter: 'lora' } : {}),
});
