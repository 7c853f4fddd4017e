import { ApiError, type ChatMessage, type RpcReply, type RpcRequest } from '@tunefleet/contracts';
import { answer, wholeText } from './answer.js';
import type { Models } from './models.js';
import { chatPrompt, textPrompt } from './prompt.js';

/** `inference.complete`: one whole answer, for evaluator. */
export async function complete(
  models: Models,
  request: RpcRequest<'inference.complete'>,
  signal: AbortSignal,
): Promise<RpcReply<'inference.complete'>> {
  const { messages, prompt } = request;
  if ((messages === null) === (prompt === null)) throw new ApiError('invalid_value', 'Give either messages or a prompt.');
  const lease = await models.lease(request.project, request.model);
  try {
    const ids =
      messages === null
        ? await textPrompt(lease.tokenizer, prompt ?? '')
        : await chatPrompt(lease.tokenizer, messages as ChatMessage[], []);
    const { temperature, top_p: topP, seed, max_tokens: maxTokens, stop } = request;
    const made = answer(lease, ids, { temperature, topP, seed, maxTokens, stop }, signal);
    const text = await wholeText(made);
    const { prompt_tokens, completion_tokens } = made.usage();
    return {
      text,
      finish_reason: made.finishReason(),
      model: lease.resolved.id,
      weights_sha256: lease.resolved.weights_sha256,
      prompt_tokens,
      completion_tokens,
    };
  } finally {
    lease.release();
  }
}
