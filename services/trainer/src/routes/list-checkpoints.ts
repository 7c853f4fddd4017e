import { FineTuningJobCheckpoint } from '@tunefleet/contracts';
import { type App, ListSchema } from '@tunefleet/service';
import type { Trainer } from '../domain/parts.js';
import { viewCheckpoint } from '../domain/view.js';
import { findJob } from './answer-job.js';
import { JobParams } from './get-job.js';
import { pageOf, pageQuery } from './page.js';

const schema = { params: JobParams, querystring: pageQuery(10), response: { 200: ListSchema(FineTuningJobCheckpoint) } };

/** `GET /v1/fine_tuning/jobs/{id}/checkpoints`, newest first: those that can be served. */
export function listCheckpointsRoute(app: App, trainer: Trainer): void {
  app.get('/v1/fine_tuning/jobs/:id/checkpoints', { schema }, async ({ identity, params, query }) => {
    const job = await findJob(trainer, identity.project, params.id);
    const registered = job.checkpoints.filter((checkpoint) => checkpoint.registered);
    const newestFirst = registered.sort((a, b) => b.step - a.step).map((checkpoint) => viewCheckpoint(job, checkpoint));
    return pageOf(newestFirst, query);
  });
}
