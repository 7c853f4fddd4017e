import { CompletionObject, CreateCompletionBody, LIMITS, mintId } from '@tunefleet/contracts';
import { type App, toApiError } from '@tunefleet/service';
import { type Answer, answer, wholeText } from '../domain/answer.js';
import type { Models } from '../domain/models.js';
import { textPrompt } from '../domain/prompt.js';
import { completionSampling } from '../domain/request.js';
import { abortOnClose } from './abort.js';
import { sendEvents } from './stream.js';

async function* chunks(head: object, made: Answer, includeUsage: boolean): AsyncGenerator<object> {
  const usage = includeUsage ? { usage: null } : {};
  const chunk = (text: string, finish_reason: string | null) => ({
    ...head,
    choices: [{ index: 0, text, logprobs: null, finish_reason }],
    ...usage,
  });
  for await (const text of made.pieces) yield chunk(text, null);
  yield chunk('', made.finishReason());
  if (includeUsage) yield { ...head, choices: [], usage: made.usage() };
}

/** `POST /v1/completions`. */
export function completionRoute(app: App, models: Models, fingerprint: string): void {
  app.post(
    '/v1/completions',
    {
      bodyLimit: LIMITS.chatBodyBytes,
      config: { scope: 'read', seconds: 600 },
      schema: { body: CreateCompletionBody, response: { 200: CompletionObject } },
    },
    async ({ body, identity, log }, reply) => {
      const sampling = completionSampling(body);
      const lease = await models.lease(identity.project, body.model);
      const signal = abortOnClose(reply.raw);
      let streaming = false;
      try {
        const ids = await textPrompt(lease.tokenizer, [body.prompt].flat()[0] ?? '');
        const made = answer(lease, ids, sampling, signal);
        const head = {
          id: mintId('completion'),
          object: 'text_completion' as const,
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
        const text = await wholeText(made);
        return { ...head, choices: [{ index: 0, finish_reason: made.finishReason(), logprobs: null, text }], usage: made.usage() };
      } finally {
        if (!streaming) lease.release();
      }
    },
  );
}
