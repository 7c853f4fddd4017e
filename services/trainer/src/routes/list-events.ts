import { FineTuningJobEvent } from '@tunefleet/contracts';
import { type App, ListSchema } from '@tunefleet/service';
import { allEvents } from '../domain/events.js';
import type { Trainer } from '../domain/parts.js';
import { rowsOf } from '../domain/rows.js';
import { findJob } from './answer-job.js';
import { JobParams } from './get-job.js';
import { pageOf, pageQuery } from './page.js';

const schema = { params: JobParams, querystring: pageQuery(20), response: { 200: ListSchema(FineTuningJobEvent) } };

/** `GET /v1/fine_tuning/jobs/{id}/events`, newest first: the life of the job and its metrics. */
export function listEventsRoute(app: App, trainer: Trainer): void {
  app.get('/v1/fine_tuning/jobs/:id/events', { schema }, async ({ identity, params, query }) => {
    const job = await findJob(trainer, identity.project, params.id);
    return pageOf(allEvents(job, await rowsOf(trainer, job)), query);
  });
}
