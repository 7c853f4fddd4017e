// The owning service of the kill tests: environment NATS_URL, QUEUE, SLOTS, EFFECTS (a folder that stands for another service's idempotent store).
import { appendFileSync, existsSync, linkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWork, summarize, WorkState } from '@tunefleet/jobs';
import { connect } from '@tunefleet/messaging';
import { openRecords } from '@tunefleet/records';
import Type from 'typebox';

const { NATS_URL, QUEUE, SLOTS, EFFECTS } = process.env;
const logger = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields.err ?? fields) };
const bus = await connect({ url: NATS_URL, name: 'trainer', logger });
const Nullable = (schema) => Type.Union([schema, Type.Null()]);
const records = await openRecords(bus, {
  bucket: 'trainer',
  prefix: QUEUE,
  schema: Type.Object({
    id: Type.String(),
    project: Type.String(),
    created_at: Type.Integer(),
    schema: Type.Literal(1),
    result: Nullable(Type.String()),
    work: WorkState,
  }),
  project: ({ id, project, work }) => ({ id, project, work: summarize(work) }),
});
await openWork(bus, {
  service: 'trainer',
  records,
  queues: [QUEUE],
  slots: { [QUEUE]: Number(SLOTS) },
  maxAttempts: 50,
  leaseMs: 800,
  reconcileMs: 100,
  retryMs: 20,
  texts: (name, { work }) => ({ message: name === 'lost' || name === 'drained' ? `${name} ${work.attempt}` : name }),
  prepare: async () => ({}),
  onClaim: async ({ id }) => ({ id }),
  onProgress: async ({ id }, rows) => appendFileSync(join(EFFECTS, `${id}.rows`), rows.map((row) => `${row}\n`).join('')),
  onComplete: async ({ id }, attempt, result) => {
    // As a registry would: the first manifest under a derived id counts, the same again is the same answer.
    const effect = join(EFFECTS, `${id}.effect`);
    // Whole or not there: a kill between open and write must not leave an empty effect.
    if (!existsSync(effect)) {
      const draft = `${effect}.${process.pid}`;
      writeFileSync(draft, `${attempt} ${result}`);
      try {
        linkSync(draft, effect);
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { result: String(result) };
  },
});
process.send?.('ready');
