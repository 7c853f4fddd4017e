import { CompletionObject, CreateCompletionBody, mintId } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import type { Answer } from '../domain/answer.js';
import type { Models } from '../domain/models.js';
import { textPrompt } from '../domain/prompt.js';
import { completionSampling } from '../domain/request.js';
import { type Head, ROUTE, respond } from './respond.js';

async function* chunks(head: Head, made: Answer, includeUsage: boolean): AsyncGenerator<object> {
  const usage = includeUsage ? { usage: null } : {};
  const object = 'text_completion';
  const chunk = (text: string, finish_reason: string | null) => ({
    ...head,
    object,
    choices: [{ index: 0, text, logprobs: null, finish_reason }],
    ...usage,
  });
  for await (const text of made.pieces) yield chunk(text, null);
  yield chunk('', made.finishReason());
  if (includeUsage) yield { ...head, object, choices: [], usage: made.usage() };
}

const whole = (head: Head, made: Answer, text: string): CompletionObject => ({
  ...head,
  object: 'text_completion',
  choices: [{ index: 0, finish_reason: made.finishReason(), logprobs: null, text }],
  usage: made.usage(),
});

/** `POST /v1/completions`. */
export function completionRoute(app: App, models: Models, fingerprint: string): void {
  app.post(
    '/v1/completions',
    { ...ROUTE, schema: { body: CreateCompletionBody, response: { 200: CompletionObject } } },
    async (request, reply) => {
      const { body } = request;
      return respond(request, reply, models, fingerprint, body.model, {
        id: () => mintId('completion'),
        sampling: completionSampling(body),
        stream: body.stream ? { includeUsage: body.stream_options?.include_usage ?? false } : null,
        prompt: ({ tokenizer }) => textPrompt(tokenizer, [body.prompt].flat()[0] ?? ''),
        whole,
        chunks,
      });
    },
  );
}
