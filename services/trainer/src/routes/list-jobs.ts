import { FineTuningJob, LIMITS } from '@tunefleet/contracts';
import { type App, ListSchema, listOf } from '@tunefleet/service';
import { Type } from 'typebox';
import type { Trainer } from '../domain/parts.js';
import type { JobEntry } from '../store/job-record.js';
import { answerJob } from './answer-job.js';

const querystring = Type.Object(
  {
    after: Type.Optional(Type.String()),
    limit: Type.Integer({ minimum: 1, maximum: LIMITS.listMax, default: 20 }),
    /** `metadata[k]=v`: jobs with all of these; `metadata=`: jobs without any. */
    metadata: Type.Optional(Type.Union([Type.Literal(''), Type.Literal('null'), Type.Record(Type.String(), Type.String())])),
  },
  { additionalProperties: false },
);
const schema = { querystring, response: { 200: ListSchema(FineTuningJob) } };

type Wanted = Type.Static<typeof querystring>['metadata'];

function hasMetadata({ metadata }: JobEntry, wanted: Wanted): boolean {
  if (wanted === undefined) return true;
  const own = metadata ?? {};
  if (typeof wanted === 'string') return Object.keys(own).length === 0;
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(own, key) && own[key] === value);
}

/** `GET /v1/fine_tuning/jobs`, newest first. */
export function listJobsRoute(app: App, trainer: Trainer): void {
  app.get('/v1/fine_tuning/jobs', { schema }, async ({ identity: { project }, query }) => {
    const { after, limit, metadata } = query;
    const page = trainer.records.list({ project, after, limit, order: 'desc', where: (job) => hasMetadata(job, metadata) });
    const found = await Promise.all(page.items.map(({ id }) => trainer.records.get(id)));
    return listOf(
      found.flatMap((job) => (job ? [answerJob(trainer, job.value)] : [])),
      page,
    );
  });
}
