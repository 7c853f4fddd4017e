import { ApiError, type JobCreateBody } from '@tunefleet/contracts';

const refuse = (param: string, what: string): never => {
  throw new ApiError('not_supported', `${what} is known but not built yet. Leave '${param}' out.`, { param });
};

const TRAINED: readonly string[] = ['chat', 'completion', 'classification'];

/** Adapter kinds of PEFT's that we know by name. */
const OTHER_ADAPTERS = [
  'dora',
  'rslora',
  'ia3',
  'adalora',
  'vera',
  'loha',
  'lokr',
  'oft',
  'boft',
  'prefix_tuning',
  'prompt_tuning',
  'p_tuning',
];

/** Refuse, by name, what the interface knows and this build does not do (400 `not_supported`). */
export function refuseUnsupported(body: JobCreateBody): void {
  if (body.method && body.method.type !== 'supervised') refuse('method.type', `The method '${body.method.type}'`);
  if (body.method?.dpo) refuse('method.dpo', 'Preference tuning');
  if (body.method?.reinforcement) refuse('method.reinforcement', 'Reinforcement tuning');
  if (body.integrations?.length) refuse('integrations', 'An integration');
  const block = body.tunefleet;
  if (!block) return;
  if (block.task && !TRAINED.includes(block.task)) refuse('tunefleet.task', `The task '${block.task}'`);
  for (const key of ['unfreeze', 'early_stopping'] as const) if (block[key]) refuse(`tunefleet.${key}`, `'${key}'`);
  if (block.freeze?.layers?.length) refuse('tunefleet.freeze.layers', 'Freezing of single layers');
  if (block.freeze?.embeddings) refuse('tunefleet.freeze.embeddings', 'Freezing of the embeddings alone');
  const blank = block.added_tokens?.find((token) => token.trim() === '');
  if (blank !== undefined)
    throw new ApiError(
      'invalid_value',
      `'tunefleet.added_tokens' names ${JSON.stringify(blank)}; a token has a character that is no white space.`,
      {
        param: 'tunefleet.added_tokens',
      },
    );
  const adapter = block.adapter;
  if (!adapter) return;
  if (adapter.type !== undefined && OTHER_ADAPTERS.includes(adapter.type))
    refuse('tunefleet.adapter.type', `The adapter '${adapter.type}'`);
  if (adapter.type !== undefined && adapter.type !== 'lora' && adapter.type !== 'full')
    throw new ApiError('invalid_value', `'tunefleet.adapter.type' is 'lora' or 'full', not '${adapter.type}'.`, {
      param: 'tunefleet.adapter.type',
    });
  if (adapter.bias !== undefined && adapter.bias !== 'none') refuse('tunefleet.adapter.bias', 'A trained bias');
  if (adapter.use_dora) refuse('tunefleet.adapter.use_dora', 'DoRA');
}
