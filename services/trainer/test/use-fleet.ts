import { existsSync } from 'node:fs';
import { afterAll, beforeAll } from '@jest/globals';
import { NATS_MISSING, natsServerPath } from '../../../tools/jest/nats-server.js';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { Fleet } from './fleet.js';

/** A job of a step for every four rows of `file-train`. */
export const BODY = { model: 'tiny', training_file: 'file-train', hyperparameters: { n_epochs: 1, batch_size: 4 } };

/**
 * One fleet for all tests of a file, which are skipped where it cannot be: where there is no nats-server, or no such base.
 * @param prepare is done before the first test
 * @param base as that of `Fleet.start`
 */
export function useFleet(
  prepare: (fleet: Fleet) => void | Promise<void>,
  { base, seconds = 60 }: { base?: string; seconds?: number } = {},
) {
  const nats = natsServerPath() !== undefined;
  const possible = nats && (base === undefined || existsSync(base));
  const fleet = new Fleet();
  beforeAll(async () => {
    if (!possible) return;
    await fleet.start(base);
    await prepare(fleet);
  }, seconds * 1000);
  afterAll(async () => {
    if (possible) await fleet.close();
  });
  return { fleet, test: skipUnless(possible, nats ? `TUNEFLEET_SHARED: no model at ${base}` : NATS_MISSING) };
}
