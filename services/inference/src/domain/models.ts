import type { ResolvedModel, RpcRequest } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { type Generator, openGenerator } from '@tunefleet/models';
import type { Logger } from '@tunefleet/service';
import { TextTokenizer } from '@tunefleet/tokenization';
import { type Folders, folderName } from './folders.js';

/** Weights in memory, in one precision, with their tokenizer; adapters on the same folder share it. */
interface Loaded {
  folder: string;
  generator: Generator;
  tokenizer: TextTokenizer;
  /** Adapter folders in use order, the newest last. */
  adapters: Set<string>;
  requests: number;
  usedAt: number;
}

/** A model to answer with, until `release` (which may be called again). */
export interface Lease {
  resolved: ResolvedModel;
  generator: Generator;
  tokenizer: TextTokenizer;
  adapter: string | null;
  release(): void;
}

const ADAPTERS_IN_MEMORY = 16;

/** The models in memory: at most `limit` bases, the least recently used idle one let go first. */
export class Models {
  private readonly loaded = new Map<string, Promise<Loaded>>();

  constructor(
    private readonly bus: Bus,
    private readonly folders: Folders,
    private readonly limit: number,
    private readonly threads: number,
    private readonly logger: Logger,
  ) {}

  /** Errors: `model_not_found`; `service_unavailable` while model-registry or the object store is away. */
  async lease(project: string, model: string): Promise<Lease> {
    const request: RpcRequest<'model-registry.resolve_model'> = { project, model };
    const resolved = await this.bus.request('model-registry.resolve_model', request);
    const entry = await this.open(resolved);
    entry.requests += 1;
    entry.usedAt = performance.now();
    let held = true;
    const release = (): void => {
      if (held) entry.requests -= 1;
      held = false;
    };
    try {
      const adapter = resolved.adapter === null ? null : await this.adapter(entry, resolved.adapter);
      return { resolved, generator: entry.generator, tokenizer: entry.tokenizer, adapter, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  private open(resolved: ResolvedModel): Promise<Loaded> {
    const key = `${resolved.base_precision}:${folderName(resolved.files)}`;
    const known = this.loaded.get(key);
    if (known) return known;
    const opened = this.load(resolved);
    this.loaded.set(key, opened);
    opened.then(
      () => this.evict(key),
      () => this.loaded.delete(key),
    );
    return opened;
  }

  private async load(resolved: ResolvedModel): Promise<Loaded> {
    const started = performance.now();
    const folder = await this.folders.fetch(resolved.files);
    const [tokenizer, generator] = await Promise.all([
      TextTokenizer.load(folder),
      openGenerator({ base: folder, precision: resolved.base_precision, threads: this.threads }),
    ]);
    this.logger.info({ model: resolved.id, ms: Math.round(performance.now() - started) }, 'model loaded');
    return { folder, generator, tokenizer, adapters: new Set(), requests: 0, usedAt: performance.now() };
  }

  private async adapter(entry: Loaded, files: NonNullable<ResolvedModel['adapter']>): Promise<string> {
    const folder = await this.folders.fetch(files);
    await entry.generator.loadAdapter(folder);
    entry.adapters.delete(folder);
    entry.adapters.add(folder);
    for (const oldest of entry.adapters) {
      if (entry.adapters.size <= ADAPTERS_IN_MEMORY) break;
      entry.adapters.delete(oldest);
      entry.generator.unloadAdapter(oldest);
    }
    return folder;
  }

  private async evict(keep: string): Promise<void> {
    const others: [string, Loaded][] = [];
    for (const [key, opened] of this.loaded) if (key !== keep) others.push([key, await opened]);
    const idle = others.filter(([, entry]) => entry.requests === 0).sort(([, a], [, b]) => a.usedAt - b.usedAt);
    for (const [key, entry] of idle.slice(0, Math.max(0, this.loaded.size - this.limit))) {
      this.loaded.delete(key);
      await entry.generator.close();
      // the same folder may be loaded in the other precision
      const folder = key.slice(key.indexOf(':'));
      if (![...this.loaded.keys()].some((other) => other.endsWith(folder))) await this.folders.remove(entry.folder);
    }
  }

  async close(): Promise<void> {
    for (const opened of this.loaded.values()) await (await opened.catch(() => null))?.generator.close();
  }
}
