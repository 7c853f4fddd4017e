import { objectStoreConfig } from '@tunefleet/object-store';
import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

export const Config = Type.Object({
  ...BaseConfig.properties,
  ...objectStoreConfig,
  /** Runs that one evaluator process works on at the same time. */
  TUNEFLEET_CONCURRENT_RUNS: Type.Integer({ minimum: 1, default: 2 }),
});
export type Config = Static<typeof Config>;
