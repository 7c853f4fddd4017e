import { ApiError } from '@tunefleet/contracts';

export interface Position {
  id: string;
  project: string;
  created_at: number;
}

interface Entry<P> extends Position {
  revision: number;
  /** Null once deleted: its place is still known for a while. */
  projection: P | null;
}

export interface ListQuery<P> {
  project: string;
  after?: string | null | undefined;
  limit: number;
  order: 'asc' | 'desc';
  where?: ((projection: P) => boolean) | undefined;
}

export const TOMBSTONE_MS = 3_600_000;

const before = (a: Position, b: Position): boolean =>
  a.created_at !== b.created_at ? a.created_at < b.created_at : Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)) < 0;

/** Projections of all records, ordered by (created_at, id) within each project. */
export class Listing<P> {
  private readonly entries = new Map<string, Entry<P>>();
  private readonly projects = new Map<string, Entry<P>[]>();

  /** Takes what was read or written, unless something newer is known already. True: it was new. */
  apply(position: Position, revision: number, projection: P | null): boolean {
    const known = this.entries.get(position.id);
    if (known && known.revision >= revision) return false;
    if (known && known.project === position.project && known.created_at === position.created_at) {
      known.revision = revision;
      known.projection = projection;
      return true;
    }
    if (known) this.remove(known.id);
    const entry: Entry<P> = { id: position.id, project: position.project, created_at: position.created_at, revision, projection };
    this.entries.set(entry.id, entry);
    const sorted = this.sorted(entry.project);
    sorted.splice(this.place(sorted, entry), 0, entry);
    return true;
  }

  remove(id: string): void {
    const entry = this.entries.get(id);
    if (!entry) return;
    this.entries.delete(id);
    const sorted = this.sorted(entry.project);
    sorted.splice(this.place(sorted, entry), 1);
  }

  get(id: string): P | null {
    return this.entries.get(id)?.projection ?? null;
  }

  revisions(): Map<string, number> {
    return new Map([...this.entries.values()].map(({ id, revision }) => [id, revision]));
  }

  *all(): Iterable<P> {
    for (const { projection } of [...this.entries.values()]) if (projection !== null) yield projection;
  }

  list({ project, after, limit, order, where = () => true }: ListQuery<P>): { items: P[]; has_more: boolean } {
    const sorted = this.sorted(project);
    const step = order === 'asc' ? 1 : -1;
    let at = order === 'asc' ? 0 : sorted.length - 1;
    if (after !== undefined && after !== null) {
      const entry = this.entries.get(after);
      if (entry?.project !== project)
        throw new ApiError('invalid_value', `There is no object '${after}' to list after.`, { param: 'after' });
      at = this.place(sorted, entry) + step;
    }
    const items: P[] = [];
    for (; at >= 0 && at < sorted.length; at += step) {
      const { projection } = sorted[at]!;
      if (projection === null || !where(projection)) continue;
      if (items.length === limit) return { items, has_more: true };
      items.push(projection);
    }
    return { items, has_more: false };
  }

  private sorted(project: string): Entry<P>[] {
    let sorted = this.projects.get(project);
    if (!sorted) {
      sorted = [];
      this.projects.set(project, sorted);
    }
    return sorted;
  }

  /** Where the entry stands, or would. */
  private place(sorted: Entry<P>[], entry: Position): number {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(sorted[middle]!, entry)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
