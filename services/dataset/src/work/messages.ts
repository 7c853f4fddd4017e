import type { PreparedOutcome, RowReport } from '../store/schemas.js';

/** What a thread is given to do. Paths are local. */
export type ThreadJob =
  | { type: 'check'; file: string; purpose: string }
  | {
      type: 'prepare';
      file: string;
      tokenizer: string;
      out: string;
      task: string;
      maxTokens: number;
      onOverflow: 'error' | 'truncate' | 'drop';
      addedTokens: readonly string[];
    };

export type ThreadResult<J extends ThreadJob> = J extends { type: 'check' } ? RowReport : PreparedOutcome;

export type ThreadMessage = { type: 'progress'; rows: number } | { type: 'done'; result: unknown };
