import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TextTokenizer, TokenizationError } from '@tunefleet/tokenization';
import { prepare } from '@tunefleet/training-data';
import type { PreparedOutcome } from '../store/schemas.js';
import { boundFaults } from './check-rows.js';
import type { ThreadJob } from './messages.js';

/** Writes a file's shards and their manifest to the folder `out`. */
export async function prepareShards(job: ThreadJob & { type: 'prepare' }, onProgress: (rows: number) => void): Promise<PreparedOutcome> {
  const files: { path: string; bytes: number; sha256: string }[] = [];
  const sink = async (path: string, bytes: Uint8Array): Promise<void> => {
    await writeFile(join(job.out, path), bytes);
    files.push({ path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  };
  try {
    const tokenizer = await TextTokenizer.load(job.tokenizer, job.addedTokens);
    const settings = { maxTokens: job.maxTokens, onOverflow: job.onOverflow };
    const prepared = await prepare(createReadStream(job.file, { highWaterMark: 256 * 1024 }), tokenizer, settings, sink, { onProgress });
    if (!('manifest' in prepared)) return { fault: boundFaults(prepared.data)[0]! };
    const { kind, examples, tokens, trained_tokens, longest, truncated, dropped, labels } = prepared.manifest;
    if (kind !== job.task) {
      return { fault: { line: 1, column: 1, code: 'mixed_formats', message: `these are ${kind} rows; the job's task is ${job.task}` } };
    }
    return { examples, tokens, trained_tokens, longest, truncated, dropped, ...(labels ? { labels } : {}), files };
  } catch (error) {
    if (!(error instanceof TokenizationError)) throw error;
    return {
      fault: {
        line: 1,
        column: 1,
        code: 'template_error',
        message: `the model's tokenizer cannot be used: ${error.message}`.slice(0, 300),
      },
    };
  }
}
