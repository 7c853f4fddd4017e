import type { Described } from './domain/describe-folder.js';

/** What the conversion process is given; both folders are local. */
export interface ImportJob {
  /** What the source gave. */
  input: string;
  /** The base that an adapter is put over; null for a whole model. */
  base: { folder: string; described: Described } | null;
  /** Where a converted model goes; it does not exist yet. */
  output: string;
}

export interface ConvertedFile {
  /** Local. */
  file: string;
  /** Name in the model's folder. */
  path: string;
  sha256: string;
  bytes: number;
}

export type ImportMessage =
  | { type: 'progress'; done: number }
  | { type: 'done'; described: Described; files: ConvertedFile[] }
  /** The files are at fault. */
  | { type: 'fault'; code: 'invalid_model' | 'not_supported'; message: string };
