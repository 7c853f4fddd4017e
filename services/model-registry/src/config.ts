import { objectStoreConfig } from '@tunefleet/object-store';
import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

export const Config = Type.Object({
  ...BaseConfig.properties,
  ...objectStoreConfig,
  /** A folder of Hugging Face folders that are registered at start, for every project. */
  TUNEFLEET_BASE_MODELS: Type.Optional(Type.String({ minLength: 1 })),
  /** Where imports with source `hf` come from; what is set here is trusted as it is. */
  TUNEFLEET_HF_ENDPOINT: Type.Optional(Type.String({ pattern: '^https?://' })),
  /** An import of a process that was killed is taken up again after this long. */
  TUNEFLEET_LEASE_MS: Type.Integer({ minimum: 100, default: 15_000 }),
});
export type Config = Static<typeof Config>;
