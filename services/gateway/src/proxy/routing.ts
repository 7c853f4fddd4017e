import { type ErrorCode, LIMITS } from '@tunefleet/contracts';
import type { GatewayConfig } from '../config.js';

const MIB = 1024 * 1024;

export interface Route {
  /** Paths equal to it or below it. */
  path: string;
  service: string;
  origin: URL;
  /** Body bytes that may pass; the service has the last word on its own limits. */
  bytes: number;
  tooLarge: Extract<ErrorCode, 'body_too_large' | 'file_too_large'>;
  /** Seconds the service has until its answer begins, once the request is through. */
  seconds: number;
}

/** Which service answers which path. */
export function routing(config: GatewayConfig): Route[] {
  const json = { bytes: LIMITS.jsonBodyBytes, tooLarge: 'body_too_large', seconds: 120 } as const;
  const service = (name: string, url: string) => ({ service: name, origin: new URL(url) });
  const registry = service('model-registry', config.TUNEFLEET_MODEL_REGISTRY_URL);
  const inference = service('inference', config.TUNEFLEET_INFERENCE_URL);
  // Generating many tokens on a CPU takes minutes before the whole answer is there; OpenAI's clients wait ten.
  const generation = { bytes: LIMITS.chatBodyBytes, tooLarge: 'body_too_large', seconds: 600 } as const;
  return [
    // Boundaries and the other fields of a multipart body come on top of the file.
    {
      path: '/v1/files',
      ...service('dataset', config.TUNEFLEET_DATASET_URL),
      bytes: LIMITS.fileBytes + MIB,
      tooLarge: 'file_too_large',
      seconds: 600,
    },
    { path: '/v1/fine_tuning', ...service('trainer', config.TUNEFLEET_TRAINER_URL), ...json },
    { path: '/v1/evals', ...service('evaluator', config.TUNEFLEET_EVALUATOR_URL), ...json, bytes: LIMITS.evalBodyBytes },
    { path: '/v1/models', ...registry, ...json },
    { path: '/v1/model_aliases', ...registry, ...json },
    { path: '/v1/base_models', ...registry, ...json },
    { path: '/v1/chat/completions', ...inference, ...generation },
    { path: '/v1/completions', ...inference, ...generation },
    { path: '/v1/classifications', ...inference, ...generation },
  ];
}
