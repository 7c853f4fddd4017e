import { BaseConfig } from '@tunefleet/service';
import { type Static, Type } from 'typebox';

const ServiceUrl = Type.String({ pattern: '^https?://[^/?#]+/?$' });

export const GatewayConfig = Type.Object({
  ...BaseConfig.properties,
  TUNEFLEET_DATASET_URL: ServiceUrl,
  TUNEFLEET_TRAINER_URL: ServiceUrl,
  TUNEFLEET_EVALUATOR_URL: ServiceUrl,
  TUNEFLEET_MODEL_REGISTRY_URL: ServiceUrl,
  TUNEFLEET_INFERENCE_URL: ServiceUrl,
  /** Admin key of project `default`, in any form; replaces the one given before. */
  TUNEFLEET_API_KEY: Type.Optional(Type.String({ minLength: 16, maxLength: 512 })),
  /** Requests a minute that one API key may make: a bound on runaway clients, not a quota. */
  TUNEFLEET_RATE_LIMIT: Type.Integer({ minimum: 1, default: 6000 }),
});
export type GatewayConfig = Static<typeof GatewayConfig>;
