import { ChatCompletionObject, CreateChatCompletionBody, mintId } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import type { Answer } from '../domain/answer.js';
import type { Models } from '../domain/models.js';
import { chatPrompt } from '../domain/prompt.js';
import { chatSampling } from '../domain/request.js';
import { type Head, ROUTE, respond } from './respond.js';

async function* chunks(head: Head, made: Answer, includeUsage: boolean): AsyncGenerator<object> {
  const usage = includeUsage ? { usage: null } : {};
  const object = 'chat.completion.chunk';
  const chunk = (delta: object, finish_reason: string | null) => ({
    ...head,
    object,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    ...usage,
  });
  yield chunk({ role: 'assistant', content: '', refusal: null }, null);
  for await (const content of made.pieces) yield chunk({ content }, null);
  yield chunk({}, made.finishReason());
  if (includeUsage) yield { ...head, object, choices: [], usage: made.usage() };
}

const whole = (head: Head, made: Answer, content: string): ChatCompletionObject => ({
  ...head,
  object: 'chat.completion',
  choices: [{ index: 0, finish_reason: made.finishReason(), logprobs: null, message: { role: 'assistant', content, refusal: null } }],
  usage: made.usage(),
});

/** `POST /v1/chat/completions`. */
export function chatCompletionRoute(app: App, models: Models, fingerprint: string): void {
  app.post(
    '/v1/chat/completions',
    { ...ROUTE, schema: { body: CreateChatCompletionBody, response: { 200: ChatCompletionObject } } },
    async (request, reply) => {
      const { body } = request;
      return respond(request, reply, models, fingerprint, body.model, {
        id: () => mintId('chatCompletion'),
        sampling: chatSampling(body),
        stream: body.stream ? { includeUsage: body.stream_options?.include_usage ?? false } : null,
        prompt: ({ tokenizer }) => chatPrompt(tokenizer, body.messages, body.tools ?? []),
        whole,
        chunks,
      });
    },
  );
}
