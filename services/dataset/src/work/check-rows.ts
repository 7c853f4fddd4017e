import { createReadStream } from 'node:fs';
import { LIMITS } from '@tunefleet/contracts';
import { validate } from '@tunefleet/training-data';
import type { RowFault, RowReport } from '../store/schemas.js';
import { checkEvalRows } from './eval-rows.js';
import type { ThreadJob } from './messages.js';

const MESSAGE_LENGTH = 300;
const DATA_BYTES = 32 * 1024; // half of what a record may hold

/** As many of the first faults as a record has room for. */
export function boundFaults(faults: readonly RowFault[]): RowFault[] {
  const kept: RowFault[] = [];
  let bytes = 0;
  for (const { line, column, code, message } of faults.slice(0, LIMITS.listedFaults)) {
    const fault = { line, column, code, message: message.slice(0, MESSAGE_LENGTH) };
    bytes += Buffer.byteLength(JSON.stringify(fault)) + 1;
    if (bytes > DATA_BYTES) break;
    kept.push(fault);
  }
  return kept;
}

/** Every row of a file: training rows by `training-data`, those of evals lightly. */
export async function checkRows(job: ThreadJob & { type: 'check' }, onProgress: (rows: number) => void): Promise<RowReport> {
  const source = createReadStream(job.file, { highWaterMark: 256 * 1024 });
  if (job.purpose === 'evals') return checkEvalRows(source);
  const { rows, kind, faults, data } = await validate(source, { maxFaults: LIMITS.listedFaults, onProgress });
  return { rows, kind, faults: faults as Record<string, number>, data: boundFaults(data) };
}
