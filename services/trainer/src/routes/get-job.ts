import { FineTuningJob } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import type { Trainer } from '../domain/parts.js';
import { answerJob, findJob } from './answer-job.js';

export const JobParams = Type.Object({ id: Type.String() });

const schema = { params: JobParams, response: { 200: FineTuningJob } };

/** `GET /v1/fine_tuning/jobs/{id}`. */
export function getJobRoute(app: App, trainer: Trainer): void {
  app.get('/v1/fine_tuning/jobs/:id', { schema }, async ({ identity, params }) =>
    answerJob(trainer, await findJob(trainer, identity.project, params.id)),
  );
}
