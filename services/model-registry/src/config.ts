import { objectStoreConfig } from '@tunefleet/object-store';
import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

export const Config = Type.Object({
  ...BaseConfig.properties,
  ...objectStoreConfig,
  /** A folder of Hugging Face folders that are registered at start, for every project. */
  TUNEFLEET_BASE_MODELS: Type.Optional(Type.String({ minLength: 1 })),
});
export type Config = Static<typeof Config>;
