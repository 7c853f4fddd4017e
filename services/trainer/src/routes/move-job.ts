import { FineTuningJob } from '@tunefleet/contracts';
import type { App } from '@tunefleet/service';
import type { Trainer } from '../domain/parts.js';
import { answerJob, findJob } from './answer-job.js';
import { JobParams } from './get-job.js';

const schema = { params: JobParams, response: { 200: FineTuningJob } };

/** `POST /v1/fine_tuning/jobs/{id}/cancel | pause | resume`: no body. An illegal move is a 400 `invalid_state`; a retry of a legal one is none. */
export function moveJobRoutes(app: App, trainer: Trainer): void {
  for (const move of ['cancel', 'pause', 'resume'] as const) {
    app.post(`/v1/fine_tuning/jobs/:id/${move}`, { schema }, async ({ identity, params, headers }) => {
      const { id } = await findJob(trainer, identity.project, params.id);
      const repeat = Number(headers['x-stainless-retry-count'] ?? 0) > 0;
      return answerJob(trainer, await trainer.work.move(id, move, { repeat }));
    });
  }
}
