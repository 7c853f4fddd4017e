import { ChatCompletionObject, CreateChatCompletionBody, LIMITS, mintId } from '@tunefleet/contracts';
import { type App, toApiError } from '@tunefleet/service';
import { type Answer, answer, wholeText } from '../domain/answer.js';
import type { Models } from '../domain/models.js';
import { chatPrompt } from '../domain/prompt.js';
import { chatSampling } from '../domain/request.js';
import { abortOnClose } from './abort.js';
import { sendEvents } from './stream.js';

async function* chunks(
  head: { id: string; created: number; model: string; system_fingerprint: string },
  made: Answer,
  includeUsage: boolean,
): AsyncGenerator<object> {
  const usage = includeUsage ? { usage: null } : {};
  const chunk = (delta: object, finish_reason: string | null) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    ...usage,
  });
  yield chunk({ role: 'assistant', content: '', refusal: null }, null);
  for await (const content of made.pieces) yield chunk({ content }, null);
  yield chunk({}, made.finishReason());
  if (includeUsage) yield { ...head, object: 'chat.completion.chunk', choices: [], usage: made.usage() };
}

/** `POST /v1/chat/completions`. */
export function chatCompletionRoute(app: App, models: Models, fingerprint: string): void {
  app.post(
    '/v1/chat/completions',
    {
      bodyLimit: LIMITS.chatBodyBytes,
      config: { scope: 'read', seconds: 600 },
      schema: { body: CreateChatCompletionBody, response: { 200: ChatCompletionObject } },
    },
    async ({ body, identity, log }, reply) => {
      const sampling = chatSampling(body);
      const lease = await models.lease(identity.project, body.model);
      const signal = abortOnClose(reply.raw);
      let streaming = false;
      try {
        const ids = await chatPrompt(lease.tokenizer, body.messages, body.tools ?? []);
        const made = answer(lease, ids, sampling, signal);
        const head = {
          id: mintId('chatCompletion'),
          created: Math.floor(Date.now() / 1000),
          model: lease.resolved.id,
          system_fingerprint: fingerprint,
        };
        if (body.stream) {
          streaming = true;
          reply.raw.once('close', lease.release);
          return sendEvents(reply, chunks(head, made, body.stream_options?.include_usage ?? false), (error) => {
            log.error({ err: error }, 'stream failed');
            return toApiError(error as Error).toBody();
          });
        }
        const content = await wholeText(made);
        const choice = {
          index: 0,
          finish_reason: made.finishReason(),
          logprobs: null,
          message: { role: 'assistant' as const, content, refusal: null },
        };
        return { ...head, object: 'chat.completion' as const, choices: [choice], usage: made.usage() };
      } finally {
        if (!streaming) lease.release();
      }
    },
  );
}
