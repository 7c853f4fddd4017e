import { LIMITS } from '@tunefleet/contracts';
import { toApiError } from '@tunefleet/service';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Answer, answer, type Sampling, wholeText } from '../domain/answer.js';
import type { Lease, Models } from '../domain/models.js';
import { abortOnClose } from './abort.js';
import { sendEvents } from './stream.js';

/** Of both routes: long bodies, minutes of computing, and a key that may read may ask. */
export const ROUTE = { bodyLimit: LIMITS.chatBodyBytes, config: { scope: 'read', seconds: 600 } } as const;

/** What every answer and every chunk of it begins with. */
export interface Head {
  id: string;
  created: number;
  model: string;
  system_fingerprint: string;
}

/** One route's way of asking and of writing the answer down. */
export interface Form<Whole> {
  id: () => string;
  sampling: Sampling;
  stream: { includeUsage: boolean } | null;
  prompt: (lease: Lease) => Promise<number[]>;
  whole: (head: Head, made: Answer, text: string) => Whole;
  chunks: (head: Head, made: Answer, includeUsage: boolean) => AsyncIterable<object>;
}

/** Draw the answer and send it, whole or as events. The model is held until the answer has ended, however it ends. */
export async function respond<Whole>(
  request: FastifyRequest,
  reply: FastifyReply,
  models: Models,
  fingerprint: string,
  model: string,
  form: Form<Whole>,
) {
  const lease = await models.lease(request.identity.project, model);
  const signal = abortOnClose(reply.raw);
  let streaming = false;
  try {
    const made = answer(lease, await form.prompt(lease), form.sampling, signal);
    const head = { id: form.id(), created: Math.floor(Date.now() / 1000), model: lease.resolved.id, system_fingerprint: fingerprint };
    if (!form.stream) {
      const text = await wholeText(made);
      return form.whole(head, made, text);
    }
    streaming = true;
    reply.raw.once('close', lease.release);
    return sendEvents(reply, form.chunks(head, made, form.stream.includeUsage), (error) => {
      request.log.error({ err: error }, 'stream failed');
      return toApiError(error as Error).toBody();
    });
  } finally {
    if (!streaming) lease.release();
  }
}
