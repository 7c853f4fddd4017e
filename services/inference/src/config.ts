import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

export const Config = Type.Object({
  ...BaseConfig.properties,
  /** Base models held in memory at once; the least recently used one without requests is let go. */
  TUNEFLEET_MODELS_IN_MEMORY: Type.Integer({ minimum: 1, default: 2 }),
  /** Threads of one generation step. */
  TUNEFLEET_INFERENCE_THREADS: Type.Integer({ minimum: 1, default: 1 }),
});
export type Config = Static<typeof Config>;
