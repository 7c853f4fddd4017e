import type { Readable } from 'node:stream';
import type { OutputItem } from '@tunefleet/contracts';
import { ObjectMissing, type ObjectStore } from '@tunefleet/object-store';

/** Rows whose items lie together in one object, written whole: what a killed run need not do again. */
export const CHUNK_ROWS = 32;

export interface Row {
  item: Record<string, unknown>;
  sample?: Record<string, unknown>;
}

async function readAll(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

/** The objects of one run: its rows as JSON lines, and its output items in chunks. */
export class RunObjects {
  private readonly prefix: string;

  constructor(
    private readonly objects: ObjectStore,
    project: string,
    run: string,
  ) {
    this.prefix = `${project}/evals/${run}/`;
  }

  private get rowsKey(): string {
    return `${this.prefix}rows.jsonl`;
  }

  private itemsKey(chunk: number): string {
    return `${this.prefix}items/${String(chunk).padStart(8, '0')}.json`;
  }

  async putRows(source: Readable | Uint8Array, signal?: AbortSignal): Promise<{ sha256: string }> {
    return this.objects.put(this.rowsKey, source, signal ? { signal } : {});
  }

  async hasRows(): Promise<boolean> {
    return (await this.objects.head(this.rowsKey)) !== null;
  }

  rows(): Promise<Readable> {
    return this.objects.get(this.rowsKey);
  }

  async putItems(chunk: number, items: OutputItem[]): Promise<void> {
    await this.objects.put(this.itemsKey(chunk), Buffer.from(JSON.stringify(items)));
  }

  /** Null while this chunk has not been done. */
  async items(chunk: number): Promise<OutputItem[] | null> {
    try {
      return JSON.parse(await readAll(await this.objects.get(this.itemsKey(chunk)))) as OutputItem[];
    } catch (error) {
      if (error instanceof ObjectMissing) return null;
      throw error;
    }
  }

  /** What was posted as `file_content`, to be answered as it was. */
  async content(): Promise<Row[]> {
    const text = await readAll(await this.rows());
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
  }

  remove(): Promise<void> {
    return this.objects.deletePrefix(this.prefix);
  }
}
