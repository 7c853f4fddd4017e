import { locateInJson } from '@tunefleet/strict-json';
import type { ChatRow } from './kinds/chat.js';
import type { ClassificationRow } from './kinds/classification.js';
import type { CompletionRow } from './kinds/completion.js';
import { type KindName, kindOf } from './kinds/kind.js';
import { columnAt } from './rows/encoding.js';
import { type Fault, type FaultCode, FaultLog, type RowFault } from './rows/fault.js';
import { ROW_LIMITS } from './rows/limits.js';
import { type RawRow, readRows } from './rows/reader.js';

/** A row that holds to its format. */
export type TrainingRow = {
  line: number;
  /** The line itself, to locate a fault that is found later. */
  text: string;
} & ({ kind: 'chat'; row: ChatRow } | { kind: 'completion'; row: CompletionRow } | { kind: 'classification'; row: ClassificationRow });

export interface ValidationReport {
  /** Lines that are not blank. */
  rows: number;
  /** Of the first row that has one; null where none has. */
  kind: KindName | null;
  /** How many rows fail by each code (one a row, its first), and the codes of the file itself. */
  faults: Partial<Record<FaultCode, number>>;
  /** The first of them, in the order of the file. */
  data: Fault[];
}

export interface ValidationOptions {
  /** Faults kept in full. */
  maxFaults?: number;
  /** Called every thousand rows; may throw to stop. */
  onProgress?: (rows: number) => void;
}

const PROGRESS_ROWS = 1000;

/**
 * Checks a whole JSONL training file, row by row and in constant memory. A report without faults means that every row can be trained on, as far as
 * that can be said without a tokenizer (`special_token`, `too_many_tokens` and what a chat template refuses are found by preparation).
 */
export async function validate(source: AsyncIterable<Uint8Array>, options: ValidationOptions = {}): Promise<ValidationReport> {
  const faults = new FaultLog(options.maxFaults);
  const report: ValidationReport = { rows: 0, kind: null, faults: faults.counts, data: faults.first };
  let lastLine = 1;
  for await (const item of trainingRows(source)) {
    report.rows += 1;
    lastLine = item.line;
    if ('fault' in item) faults.add(item.fault);
    else report.kind ??= item.kind;
    if (report.rows % PROGRESS_ROWS === 0) options.onProgress?.(report.rows);
  }
  if (report.rows === 0) faults.add({ line: 1, column: 1, code: 'empty_file', message: 'the file has no rows' });
  else if (report.rows < ROW_LIMITS.minExamples && report.faults.invalid_encoding === undefined) {
    faults.add({
      line: lastLine,
      column: 1,
      code: 'invalid_n_examples',
      message: `the file has ${report.rows} rows; at least ${ROW_LIMITS.minExamples} are needed`,
    });
  }
  return report;
}

/** The rows of a file in their order: each typed by its kind, or its first fault. All rows are of the kind of the first good one. */
export async function* trainingRows(source: AsyncIterable<Uint8Array>): AsyncGenerator<TrainingRow | { line: number; fault: Fault }> {
  let first: KindName | undefined;
  const labels = new Set<string>();
  for await (const raw of readRows(source)) {
    const checked = checkRow(raw, first);
    if (!('fault' in checked)) first ??= checked.kind;
    yield 'fault' in checked ? checked : withinLabels(checked, labels);
  }
}

function checkRow(raw: RawRow, expected: KindName | undefined): TrainingRow | { line: number; fault: Fault } {
  if ('fault' in raw) return raw;
  const { line, text, value } = raw;
  const kind = kindOf(value);
  const fault = kind ? (otherKind(kind.name, expected) ?? kind.check(value)) : NO_KIND;
  if (fault) return { line, fault: located(line, text, fault) };
  // The kind's check is the proof of the row's type.
  return { line, text, kind: kind!.name, row: value } as unknown as TrainingRow;
}

/** A fault of a row with the column of the value at fault. */
export function located(line: number, text: string, { code, path, message }: RowFault): Fault {
  const offset = locateInJson(text, path, { maxDepth: ROW_LIMITS.maxDepth });
  return { line, column: columnAt(text, offset), code, message };
}

/** The row, or the fault of being the first of a class too many. */
function withinLabels(item: TrainingRow, labels: Set<string>): TrainingRow | { line: number; fault: Fault } {
  if (item.kind !== 'classification' || labels.has(item.row.label)) return item;
  if (labels.size < ROW_LIMITS.maxLabels) {
    labels.add(item.row.label);
    return item;
  }
  const message = `the file has more than ${ROW_LIMITS.maxLabels} different labels`;
  return { line: item.line, fault: located(item.line, item.text, { code: 'too_many_labels', path: ['label'], message }) };
}

const NO_KIND: RowFault = {
  code: 'missing_messages',
  path: [],
  message: 'expected `messages` (a chat row), `prompt` and `completion` (a completion row), or `text` and `label` (a classification row)',
};

function otherKind(kind: KindName, expected: KindName | undefined): RowFault | null {
  if (expected === undefined || kind === expected) return null;
  return { code: 'mixed_formats', path: [], message: `this is a ${kind} row; the rows before it are ${expected} rows` };
}
