import { ApiError, FineTuningJob, JobCreateBody, mintId } from '@tunefleet/contracts';
import { createOnce } from '@tunefleet/records';
import { type App, onceRequest } from '@tunefleet/service';
import { workQueue } from '../config.js';
import { planJob } from '../domain/create.js';
import { seedOf } from '../domain/names.js';
import type { Trainer } from '../domain/parts.js';
import { answerJob } from './answer-job.js';

const schema = { body: JobCreateBody, response: { 200: FineTuningJob } };

/** `POST /v1/fine_tuning/jobs`. A request sent again (the SDKs do on their own) answers the job that the first one made. */
export function createJobRoute(app: App, trainer: Trainer, queues: ReadonlyMap<string, number>): void {
  app.post('/v1/fine_tuning/jobs', { schema }, async (request) => {
    const { body, identity } = request;
    const named = body.tunefleet?.queue;
    if (named !== undefined && !queues.has(named))
      throw new ApiError('invalid_value', `There is no queue '${named}'. Queues: ${[...queues.keys()].join(', ')}.`, {
        param: 'tunefleet.queue',
      });
    return createOnce(
      trainer.bus,
      onceRequest(request),
      () => mintId('job'),
      async (id, fresh) => {
        // A repeat finds the job that was made, whatever has become of its files or of the project's room since.
        const made = fresh ? null : await trainer.records.get(id);
        if (made) return answerJob(trainer, made.value);
        const planned = await planJob(trainer, identity.project, body);
        const record = { ...planned, id, created_at: Math.floor(Date.now() / 1000), seed: body.seed ?? seedOf(id) };
        const { queue, priority } = planned.settings;
        const { value } = await trainer.work.submit(record, { queue: workQueue(queue), kind: 'train', priority });
        return answerJob(trainer, value);
      },
    );
  });
}
