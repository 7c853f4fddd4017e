import type { RpcRequest } from '@tunefleet/contracts';
import { addEvent } from '@tunefleet/jobs';
import type { Trainer } from './parts.js';

/** Says in an event what the attempt computes on; once for the same text, however often a training process starts. */
export async function putProvider(trainer: Trainer, { id, attempt, provider, reason }: RpcRequest<'trainer.put_provider'>): Promise<void> {
  const message = `Training on ${provider}: ${reason}`;
  await trainer.work.updateHeld(id, attempt, (current) =>
    current.work.events.some((event) => event.name === 'provider' && event.message === message)
      ? null
      : addEvent(current, 'provider', { message }),
  );
}
