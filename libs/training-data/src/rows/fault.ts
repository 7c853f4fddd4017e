/** Every code that a training file can be refused with: codes of the public error table, listed in the README. */
export type FaultCode =
  | 'invalid_json'
  | 'invalid_row'
  | 'invalid_encoding'
  | 'too_deep'
  | 'row_too_large'
  | 'invalid_role'
  | 'missing_assistant'
  | 'invalid_content'
  | 'missing_messages'
  | 'too_many_messages'
  | 'unknown_field'
  | 'invalid_value'
  | 'invalid_label'
  | 'too_many_labels'
  | 'mixed_formats'
  | 'empty_file'
  | 'invalid_n_examples'
  | 'special_token'
  | 'too_many_tokens';

/** One fault of a file. `line` and `column` count from 1; columns count characters (code points). */
export interface Fault {
  line: number;
  column: number;
  code: FaultCode;
  message: string;
}

/** A fault of a parsed row: `path` leads to the value at fault. */
export interface RowFault {
  code: FaultCode;
  path: readonly (string | number)[];
  message: string;
}

const DEFAULT_MAX_FAULTS = 100;

/** Counts all faults by code and keeps the first ones whole. */
export class FaultLog {
  readonly counts: Partial<Record<FaultCode, number>> = {};
  readonly first: Fault[] = [];

  constructor(private readonly max = DEFAULT_MAX_FAULTS) {}

  add(fault: Fault): void {
    this.counts[fault.code] = (this.counts[fault.code] ?? 0) + 1;
    if (this.first.length < this.max) this.first.push(fault);
  }
}
