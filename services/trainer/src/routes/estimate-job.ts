import { FineTuningEstimate, JobCreateBody } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import { estimateJob } from '../domain/estimate-job.js';
import type { Trainer } from '../domain/parts.js';

const schema = { body: JobCreateBody, response: { 200: FineTuningEstimate } };

/** `POST /v1/fine_tuning/estimate`: what a job would take; none is created. */
export function estimateJobRoute(app: App, trainer: Trainer, declared: number | null): void {
  app.post('/v1/fine_tuning/estimate', { schema }, async ({ body, identity }) => estimateJob(trainer, identity.project, body, declared));
}
