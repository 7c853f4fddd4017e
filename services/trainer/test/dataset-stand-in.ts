import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { ApiError, type FileSummary, type ObjectLink, type RpcReply } from '@tunefleet/contracts';
import { type Bus, connect } from '@tunefleet/messaging';
import { openObjectStore } from '@tunefleet/object-store';
import { createLogger } from '@tunefleet/service';
import { type Example, ShardWriter } from '@tunefleet/training-data';

export interface DatasetStandIn {
  bus: Bus;
  files: Map<string, FileSummary & { project: string; examples: Example[] }>;
  /** Result files by id, as they were copied from the trainer's links. */
  results: Map<string, string>;
  add(id: string, examples: Example[], change?: Partial<FileSummary> & { project?: string }): void;
  close(): Promise<void>;
}

/** Token ids and weights that repeat: rows of 6 to 25 tokens of a vocabulary of 64, the second half trained on. */
export function rows(count: number, seed = 1): Example[] {
  let state = seed;
  const next = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  return Array.from({ length: count }, (_, row) => {
    const length = 6 + next(20);
    const ids = Int32Array.from({ length }, () => next(64));
    const weights = Float32Array.from({ length }, (_w, i) => (i >= length / 2 ? 1 : 0));
    return { ids, weights, row: row + 1 };
  });
}

/** Answers dataset's requests of the trainer with real shards on the folder that all share. */
export async function startDataset(natsUrl: string, folder: string, signingKey: string): Promise<DatasetStandIn> {
  const bus = await connect({ url: natsUrl, creds: 'dataset:secret', name: 'dataset', logger: createLogger('dataset', 'silent') });
  let url = '';
  const store = await openObjectStore({ folder, url: () => url, signingKey });
  const server = createServer((request, response) => void store.handle?.(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const files: DatasetStandIn['files'] = new Map();
  const results = new Map<string, string>();

  function fileOf(project: string, id: string) {
    const file = files.get(id);
    if (file?.project !== project) throw new ApiError('file_not_found', `no file ${id}`);
    return file;
  }

  bus.respond('dataset.get_file', async ({ project, id }) => {
    const { examples: _examples, project: _project, ...summary } = fileOf(project, id);
    return summary;
  });
  bus.respond('dataset.prepare', async ({ project, file: id, sequence, model }): Promise<RpcReply<'dataset.prepare'>> => {
    const file = fileOf(project, id);
    const hash = createHash('sha256')
      .update(JSON.stringify([id, model, sequence]))
      .digest('hex');
    const links: ObjectLink[] = [];
    const writer = new ShardWriter(async (path, bytes) => {
      const key = `${project}/prepared/${hash}/${path}`;
      const digest = await store.put(key, bytes);
      links.push({ path, ...digest, url: await store.sign('GET', key, 900) });
    });
    for (const example of file.examples) await writer.add(example);
    const settings = { max_tokens: sequence.max_tokens, on_overflow: sequence.on_overflow, date: '2026-01-01' };
    const { examples, tokens, trained_tokens, longest } = await writer.finish({
      kind: 'chat',
      rows: file.examples.length,
      truncated: 0,
      dropped: 0,
      settings,
    });
    return { status: 'ready', data: { hash, examples, tokens, trained_tokens, longest, truncated: 0, dropped: 0, files: links } };
  });
  bus.respond('dataset.create_result_file', async ({ project, id, filename, purpose, source }) => {
    const response = await fetch(source.url);
    const body = await text(response.body as never);
    results.set(id, body);
    return {
      id,
      filename,
      purpose,
      bytes: body.length,
      status: 'processed',
      sha256: source.sha256,
      rows: null,
      kind: null,
      fault: null,
      project,
    } as FileSummary;
  });
  return {
    bus,
    files,
    results,
    add(id, examples, change = {}) {
      files.set(id, {
        id,
        filename: `${id}.jsonl`,
        purpose: 'fine-tune',
        bytes: 1,
        status: 'processed',
        sha256: createHash('sha256').update(id).digest('hex'),
        rows: examples.length,
        kind: 'chat',
        fault: null,
        project: 'default',
        examples,
        ...change,
      });
    },
    async close() {
      await bus.drain();
      server.closeAllConnections();
      server.close();
    },
  };
}
