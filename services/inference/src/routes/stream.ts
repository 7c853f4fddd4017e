import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** `text/event-stream` as OpenAI sends it: a JSON object an event, `[DONE]` last. An error after the first event is an event too. */
export function sendEvents(reply: FastifyReply, events: AsyncIterable<object>, onError: (error: unknown) => object): FastifyReply {
  const lines = async function* (): AsyncGenerator<string> {
    try {
      for await (const event of events) yield `data: ${JSON.stringify(event)}\n\n`;
      yield 'data: [DONE]\n\n';
    } catch (error) {
      yield `data: ${JSON.stringify(onError(error))}\n\n`;
    }
  };
  return reply.type('text/event-stream; charset=utf-8').header('cache-control', 'no-cache').send(Readable.from(lines()));
}
