import { objectStoreConfig } from '@tunefleet/object-store';
import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

export const Config = Type.Object({
  ...BaseConfig.properties,
  ...objectStoreConfig,
  /** Work of a process that was killed is taken up again after this long. */
  TUNEFLEET_LEASE_MS: Type.Integer({ minimum: 100, default: 15_000 }),
});
export type Config = Static<typeof Config>;
