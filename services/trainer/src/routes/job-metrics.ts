import { Readable } from 'node:stream';
import { MetricsRow } from '@tunefleet/contracts';
import { isFinished } from '@tunefleet/jobs';
import type { App } from '@tunefleet/service';
import { Type } from 'typebox';
import type { TimedRow } from '../domain/events.js';
import type { Trainer } from '../domain/parts.js';
import { rowsOf } from '../domain/rows.js';
import type { JobRecord } from '../store/job-record.js';
import { findJob } from './answer-job.js';
import { JobParams } from './get-job.js';

const MetricsList = Type.Object({ object: Type.Literal('list'), data: Type.Array(MetricsRow), has_more: Type.Literal(false) });
const schema = { params: JobParams, response: { 200: MetricsList } };

const viewRow = ({ at: _at, ...row }: TimedRow): MetricsRow => row;

/** A comment line this often (ms) tells a proxy that a stream without news is alive. */
const ALIVE_MS = 15_000;

/**
 * `GET /v1/fine_tuning/jobs/{id}/metrics`: one row an optimizer step, floats in full. With `accept: text/event-stream` the rows there are and those to come,
 * each once, then `event: done` with the job's status.
 */
export function jobMetricsRoute(app: App, trainer: Trainer): void {
  app.get('/v1/fine_tuning/jobs/:id/metrics', { schema }, async (request, reply) => {
    const job = await findJob(trainer, request.identity.project, request.params.id);
    if (!request.headers.accept?.includes('text/event-stream'))
      return { object: 'list' as const, data: (await rowsOf(trainer, job)).map(viewRow), has_more: false as const };
    const gone = new AbortController();
    request.raw.on('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, app.draining]);
    reply.header('content-type', 'text/event-stream; charset=utf-8').header('cache-control', 'no-cache').header('x-accel-buffering', 'no');
    return reply.send(Readable.from(stream(trainer, job, signal)) as never);
  });
}

async function* stream(trainer: Trainer, job: JobRecord, signal: AbortSignal): AsyncGenerator<string> {
  const sent = new Set<number>();
  const send = (row: TimedRow): string => {
    sent.add(row.step);
    return `data: ${JSON.stringify(viewRow(row))}\n\n`;
  };
  yield ': metrics\n\n';
  if (!isFinished(job.work.state)) {
    const ended = new AbortController();
    const forget = trainer.records.onChange((id, entry) => {
      if (id === job.id && (entry === null || isFinished(entry.work.state))) ended.abort();
    });
    // It may have ended between the caller's look and our listening.
    if (isFinished(trainer.records.find(job.id)?.work.state ?? 'running')) ended.abort();
    try {
      for await (const row of alive(trainer.metrics.follow(job.id, AbortSignal.any([signal, ended.signal]))))
        yield row === null ? ': alive\n\n' : send(row);
    } finally {
      forget();
    }
  }
  if (signal.aborted) return;
  const last = (await trainer.records.get(job.id))?.value ?? job;
  for (const row of await rowsOf(trainer, last)) if (!sent.has(row.step)) yield send(row);
  yield `event: done\ndata: ${JSON.stringify({ status: last.work.state })}\n\n`;
}

/** The rows, with null after each while without any. */
async function* alive(rows: AsyncGenerator<TimedRow>): AsyncGenerator<TimedRow | null> {
  let next = rows.next();
  try {
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const quiet = new Promise<null>((resolve) => {
        timer = setTimeout(() => resolve(null), ALIVE_MS);
      });
      const first = await Promise.race([next, quiet]).finally(() => clearTimeout(timer));
      if (first === null) yield null;
      else if (first.done) return;
      else {
        yield first.value;
        next = rows.next();
      }
    }
  } finally {
    await rows.return(undefined);
  }
}
