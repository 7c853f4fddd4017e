import { LIMITS } from '@tunefleet/contracts';
import type { RowFault, RowReport } from '../store/schemas.js';

const NEWLINE = 10;
const decoder = new TextDecoder('utf-8', { fatal: true });
type Finding = Omit<RowFault, 'line' | 'column'>;

/** Lines without their end; null for one over the limit. */
async function* linesOf(source: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Buffer | null> {
  let parts: Buffer[] = [];
  let size = 0;
  const line = () => (size > limit ? null : Buffer.concat(parts));
  for await (const chunk of source) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    for (let from = 0; from < bytes.length; ) {
      const at = bytes.indexOf(NEWLINE, from);
      const end = at < 0 ? bytes.length : at;
      size += end - from;
      if (size <= limit) parts.push(bytes.subarray(from, end));
      from = end + 1;
      if (at < 0) continue;
      yield line();
      parts = [];
      size = 0;
    }
  }
  if (size > 0) yield line();
}

function findFault(line: Buffer | null): Finding | 'blank' | null {
  if (line === null) return { code: 'row_too_large', message: `the row is larger than ${LIMITS.rowBytes} bytes` };
  let text: string;
  try {
    text = decoder.decode(line);
  } catch {
    return { code: 'invalid_encoding', message: 'the row is not UTF-8' };
  }
  if (text.trim() === '') return 'blank';
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (error) {
    return { code: 'invalid_json', message: (error as Error).message };
  }
  const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(row) || !isObject((row as { item?: unknown }).item))
    return { code: 'invalid_row', message: 'expected an object with an object `item`' };
  return null;
}

/** A light look at rows of purpose `evals`: JSON objects with an `item`, whose own schema is the eval's matter. */
export async function checkEvalRows(source: AsyncIterable<Uint8Array>): Promise<RowReport> {
  const report: RowReport = { rows: 0, kind: 'eval', faults: {}, data: [] };
  let number = 0;
  const add = (line: number, { code, message }: Finding) => {
    report.faults[code] = (report.faults[code] ?? 0) + 1;
    if (report.data.length < LIMITS.listedFaults) report.data.push({ line, column: 1, code, message: message.slice(0, 200) });
  };
  for await (const line of linesOf(source, LIMITS.rowBytes)) {
    number += 1;
    const fault = findFault(line);
    if (fault === 'blank') continue;
    report.rows += 1;
    if (fault) add(number, fault);
  }
  if (report.rows === 0) add(1, { code: 'empty_file', message: 'the file has no rows' });
  return report;
}
