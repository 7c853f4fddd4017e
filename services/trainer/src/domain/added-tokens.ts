import { type AdapterInfo, ApiError } from '@tunefleet/contracts';
import type { ParentAdapter } from './adapter.js';
import type { Settings } from './settings.js';

const PARAM = { param: 'tunefleet.added_tokens' };

/** What a message to dataset or a pod says of added tokens: nothing where there are none (jobs of before they were known have none). */
export const addedTokens = ({ added_tokens }: Pick<Settings, 'added_tokens'>): { added_tokens?: string[] } =>
  added_tokens ? { added_tokens } : {};

/** New tokens are learned in embedding and head: an adapter then holds both whole. */
export function withVocabulary(adapter: AdapterInfo, added: string[] | null, parent: ParentAdapter | null): AdapterInfo {
  if (added === null || adapter.type === 'full') return adapter;
  if (parent)
    throw new ApiError(
      'invalid_value',
      'A job that continues an adapter keeps its vocabulary. Tune the base with these tokens, or a model that was tuned in full.',
      PARAM,
    );
  const saved = adapter.modules_to_save ?? [];
  return { ...adapter, modules_to_save: [...saved, ...['embed_tokens', 'lm_head'].filter((name) => !saved.includes(name))] };
}

/** Throws `not_supported` for tokens that a classifier would gain. */
export function requireWords(task: Settings['task']): void {
  if (task === 'classification')
    throw new ApiError(
      'not_supported',
      "Added tokens of a classifier are known but not built yet. Leave 'tunefleet.added_tokens' out.",
      PARAM,
    );
}
