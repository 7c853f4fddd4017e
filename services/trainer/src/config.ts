import { objectStoreConfig } from '@tunefleet/object-store';
import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

export const Config = Type.Object({
  ...BaseConfig.properties,
  ...objectStoreConfig,
  /** Queues a job may name (`tunefleet.queue`), each with its slots: jobs offered to pods or running at once. As many as there are pods. */
  TUNEFLEET_TRAIN_QUEUES: Type.String({ default: 'default:1', pattern: '^[a-z0-9][a-z0-9-]*:[0-9]+(,[a-z0-9][a-z0-9-]*:[0-9]+)*$' }),
  /** Memory that training pods may use; default: what this machine has. */
  TUNEFLEET_POD_MEMORY_BYTES: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Milliseconds without a heartbeat until a pod counts as lost. */
  TUNEFLEET_LEASE_MS: Type.Integer({ minimum: 2000, default: 15_000 }),
});
export type Config = Static<typeof Config>;

/** Slots of each queue by its name. */
export const queuesOf = (config: Pick<Config, 'TUNEFLEET_TRAIN_QUEUES'>): Map<string, number> =>
  new Map(
    config.TUNEFLEET_TRAIN_QUEUES.split(',').map((entry) => {
      const [name, slots] = entry.split(':');
      return [name!, Number(slots)];
    }),
  );

/** The queue of `libs/jobs` behind a queue that users name: `train`, or `train-<name>`. */
export const workQueue = (name: string): string => (name === 'default' ? 'train' : `train-${name}`);
