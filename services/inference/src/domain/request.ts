import { ApiError, CHAT_REFUSED, COMPLETION_REFUSED, type CreateChatCompletionBody, type CreateCompletionBody } from '@tunefleet/contracts';
import type { Sampling } from './answer.js';
import { refuseUnsupported } from './unsupported.js';

const common = (body: CreateChatCompletionBody | CreateCompletionBody): Omit<Sampling, 'maxTokens'> => {
  if (body.stream_options && !body.stream)
    throw new ApiError('invalid_value', "'stream_options' needs 'stream': true.", { param: 'stream_options' });
  const { temperature, top_p, seed, stop } = body;
  // OpenAI's defaults are 1 and 1
  return { temperature: temperature ?? 1, topP: top_p ?? 1, seed: seed ?? null, stop: stop == null ? [] : [stop].flat() };
};

export function chatSampling(body: CreateChatCompletionBody): Sampling {
  refuseUnsupported(body, body.tools?.length ? { ...CHAT_REFUSED, tool_choice: 'auto' } : CHAT_REFUSED);
  return { ...common(body), maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null };
}

/** OpenAI's default length of a completion. */
const COMPLETION_TOKENS = 16;

export function completionSampling(body: CreateCompletionBody): Sampling {
  refuseUnsupported(body, COMPLETION_REFUSED);
  return { ...common(body), maxTokens: body.max_tokens ?? COMPLETION_TOKENS };
}
