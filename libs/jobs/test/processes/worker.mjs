// A worker of the kill tests: ten steps of 30 ms, each reported; environment NATS_URL, QUEUE.
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorker } from '@tunefleet/jobs';
import { connect } from '@tunefleet/messaging';

const { NATS_URL, QUEUE } = process.env;
const logger = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields.err ?? fields) };
const bus = await connect({ url: NATS_URL, name: 'worker', logger });
startWorker(bus, {
  owner: 'trainer',
  queue: QUEUE,
  concurrency: 2,
  heartbeatMs: 150,
  run: async ({ id, attempt }, context) => {
    for (let step = 1; step <= 10; step++) {
      if (context.signal.aborted) break;
      if (context.wish() === 'drain') return { type: 'drained' };
      if (context.wish() === 'pause') return { type: 'paused' };
      await sleep(30);
      context.step(step);
      void context.progress([step]);
    }
    return { type: 'completed', result: `${id} by ${attempt}` };
  },
});
process.send?.('ready');
