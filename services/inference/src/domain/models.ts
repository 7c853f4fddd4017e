import { ApiError, type ModelHead, type ResolvedModel, type RpcRequest } from '@tunefleet/contracts';
import type { Bus } from '@tunefleet/messaging';
import { type Generator, openGenerator, openTextClassifier, type TextClassifier } from '@tunefleet/models';
import type { Logger } from '@tunefleet/service';
import { TextTokenizer } from '@tunefleet/tokenization';
import { type Folders, folderName } from './folders.js';

/** Weights in memory, in one precision, with their tokenizer; adapters of a language model on the same folder share it. */
interface Loaded {
  folder: string;
  /** Of which the model's head allows one. */
  engine: { generator: Generator } | { classifier: TextClassifier };
  tokenizer: TextTokenizer;
  /** Adapter folders in use order, the newest last. */
  adapters: Set<string>;
  usedAt: number;
}

/** A model, held until `release` (which may be called again). */
interface Held {
  resolved: ResolvedModel;
  tokenizer: TextTokenizer;
  release(): void;
}

/** A model to write with. */
export interface Lease extends Held {
  generator: Generator;
  adapter: string | null;
}

/** A model to classify with. */
export interface ClassifierLease extends Held {
  classifier: TextClassifier;
}

const ADAPTERS_IN_MEMORY = 16;

/** What a model can be asked, where it was asked something else. */
const ABILITY: Record<ModelHead, string> = {
  language_model: 'writes text and has no classes; ask it at /v1/chat/completions or /v1/completions',
  classifier: 'classifies texts and writes none; ask it at /v1/classifications',
  none: 'is an encoder without a head; tune it with the task classification first',
};

/** The models in memory: at most `limit` bases, the least recently used idle one let go first. */
export class Models {
  private readonly loaded = new Map<string, Promise<Loaded>>();
  /** Requests by key, counted before anything is waited for: what is asked for is not let go meanwhile. */
  private readonly requests = new Map<string, number>();

  constructor(
    private readonly bus: Bus,
    private readonly folders: Folders,
    private readonly limit: number,
    private readonly threads: number,
    private readonly logger: Logger,
  ) {}

  /** Errors: `model_not_found`; `service_unavailable` while model-registry or the object store is away. */
  async lease(project: string, model: string): Promise<Lease> {
    const { entry, ...held } = await this.hold(project, model, 'language_model');
    try {
      const { generator } = entry.engine as { generator: Generator };
      const { adapter: files } = held.resolved;
      return { ...held, generator, adapter: files === null ? null : await this.adapter(entry, generator, files) };
    } catch (error) {
      held.release();
      throw error;
    }
  }

  /** Errors: likewise. */
  async leaseClassifier(project: string, model: string): Promise<ClassifierLease> {
    const { entry, ...held } = await this.hold(project, model, 'classifier');
    return { ...held, ...(entry.engine as { classifier: TextClassifier }) };
  }

  private async hold(project: string, model: string, head: ModelHead): Promise<Held & { entry: Loaded }> {
    const request: RpcRequest<'model-registry.resolve_model'> = { project, model };
    const resolved = await this.bus.request('model-registry.resolve_model', request);
    if (resolved.head !== head) throw new ApiError('invalid_value', `The model '${model}' ${ABILITY[resolved.head]}.`, { param: 'model' });
    const key = keyOf(resolved);
    this.requests.set(key, this.requestsOf(key) + 1);
    let held = true;
    const release = (): void => {
      if (held) this.requests.set(key, this.requestsOf(key) - 1);
      held = false;
      if (this.requestsOf(key) === 0) this.requests.delete(key);
    };
    try {
      const entry = await this.open(key, resolved);
      entry.usedAt = performance.now();
      return { entry, resolved, tokenizer: entry.tokenizer, release };
    } catch (error) {
      release();
      throw error;
    }
  }

  private requestsOf(key: string): number {
    return this.requests.get(key) ?? 0;
  }

  private open(key: string, resolved: ResolvedModel): Promise<Loaded> {
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
    const [tokenizer, engine] = await Promise.all([TextTokenizer.load(folder), this.openEngine(folder, resolved)]);
    this.logger.info({ model: resolved.id, ms: Math.round(performance.now() - started) }, 'model loaded');
    return { folder, engine, tokenizer, adapters: new Set(), usedAt: performance.now() };
  }

  private async openEngine(folder: string, { head, base_precision: precision, adapter: files }: ResolvedModel): Promise<Loaded['engine']> {
    const { threads } = this;
    if (head !== 'classifier') return { generator: await openGenerator({ base: folder, precision, threads }) };
    const adapter = files ? await this.folders.fetch(files) : undefined;
    const classifier = await openTextClassifier({ folder, adapter, precision, threads });
    // Its factors are in memory now.
    if (adapter !== undefined) await this.folders.remove(adapter);
    return { classifier };
  }

  private async adapter(entry: Loaded, generator: Generator, files: NonNullable<ResolvedModel['adapter']>): Promise<string> {
    const folder = await this.folders.fetch(files);
    await generator.loadAdapter(folder);
    entry.adapters.delete(folder);
    entry.adapters.add(folder);
    for (const oldest of entry.adapters) {
      if (entry.adapters.size <= ADAPTERS_IN_MEMORY) break;
      entry.adapters.delete(oldest);
      generator.unloadAdapter(oldest);
    }
    return folder;
  }

  private async evict(keep: string): Promise<void> {
    const others: [string, Loaded][] = [];
    for (const [key, opened] of this.loaded) {
      const entry = key === keep ? null : await opened.catch(() => null);
      if (entry) others.push([key, entry]);
    }
    for (const [key, entry] of others.sort(([, a], [, b]) => a.usedAt - b.usedAt)) {
      if (this.loaded.size <= this.limit) break;
      // One may have been asked for, or let go by another, while the last one was closed.
      if (this.requestsOf(key) > 0 || !this.loaded.delete(key)) continue;
      await closeEngine(entry);
      // the same folder may be loaded in the other precision, or under another adapter
      const [folder] = key.split(':');
      if (![...this.loaded.keys()].some((other) => other.startsWith(`${folder}:`))) await this.folders.remove(entry.folder);
    }
  }

  async close(): Promise<void> {
    for (const opened of this.loaded.values()) {
      const entry = await opened.catch(() => null);
      if (entry) await closeEngine(entry);
    }
  }
}

/** Adapters of a language model share its weights; each of a classifier is an engine of its own, with its own head. */
function keyOf({ files, head, base_precision, adapter }: ResolvedModel): string {
  const own = head === 'classifier' && adapter ? `:${folderName(adapter)}` : '';
  return `${folderName(files)}:${base_precision}${own}`;
}

const closeEngine = ({ engine }: Loaded): Promise<void> => ('generator' in engine ? engine.generator.close() : engine.classifier.close());
