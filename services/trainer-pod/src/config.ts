import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

export const Config = Type.Object({
  ...BaseConfig.properties,
  /** Claim this job alone, then exit with a code of `exit-codes.ts`. */
  TUNEFLEET_JOB_ID: Type.Optional(Type.String({ pattern: '^ftjob-[0-9A-Za-z]+$' })),
  /** Queue that this pod serves, as users name it (`tunefleet.queue`). */
  TUNEFLEET_TRAIN_QUEUE: Type.String({ default: 'default', pattern: '^[a-z0-9][a-z0-9-]{0,31}$' }),
  /** Folder for `training-<job id>.pid`. */
  TUNEFLEET_RUN_DIR: Type.Optional(Type.String({ minLength: 1 })),
  /** Threads of the engine; default: the CPUs there are. Part of the engine's identity: another number may give other bytes. */
  TUNEFLEET_ENGINE_THREADS: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024 })),
  /** What training computes on. auto: CUDA where it is there, else the CPU, said in an event of the job. */
  TUNEFLEET_ENGINE_PROVIDER: Type.Union(
    (['auto', 'cpu', 'webgpu', 'cuda'] as const).map((name) => Type.Literal(name)),
    { default: 'cpu' },
  ),
  /** Milliseconds between heartbeats: well below the trainer's TUNEFLEET_LEASE_MS. */
  TUNEFLEET_HEARTBEAT_MS: Type.Integer({ minimum: 100, default: 5000 }),
  /** Snapshots are uploaded this far apart (milliseconds) at least: what a lost pod costs at most, beside its last step. */
  TUNEFLEET_SNAPSHOT_UPLOAD_MS: Type.Integer({ minimum: 0, default: 5000 }),
  /** Inputs of earlier jobs kept below TMPDIR; as many bytes again of graphs that they were compiled to. */
  TUNEFLEET_POD_CACHE_BYTES: Type.Integer({ minimum: 0, default: 4 * 1024 ** 3 }),
  /** Memory that this pod may use, where no cgroup says so. */
  TUNEFLEET_POD_MEMORY_BYTES: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Revision of the code, for the lineage. */
  TUNEFLEET_REVISION: Type.String({ default: 'unknown' }),
});
export type Config = Static<typeof Config>;

/** The queue of `libs/jobs` behind a queue that users name. */
export const workQueue = (name: string): string => (name === 'default' ? 'train' : `train-${name}`);
