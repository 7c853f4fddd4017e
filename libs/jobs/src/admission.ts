import type { WorkSummary } from './state.js';

/** What admission sees of a piece of work. */
export interface Waiting {
  id: string;
  project: string;
  work: WorkSummary;
}

const earlier = (a: Waiting, b: Waiting): number =>
  b.work.priority - a.work.priority || a.work.order - b.work.order || (a.id < b.id ? -1 : 1);

/**
 * The order in which waiting work of one queue goes: priority first; within it the project with the smallest share of what runs and was chosen
 * before; within that who came first. Deterministic, so that replicas agree.
 *
 * @param held work of that queue that workers hold
 */
export function admissionOrder(waiting: Iterable<Waiting>, held: Iterable<Waiting>): Waiting[] {
  const share = new Map<string, number>();
  const count = (project: string) => share.set(project, (share.get(project) ?? 0) + 1);
  for (const { project } of held) count(project);
  const lines = new Map<string, Waiting[]>();
  for (const one of [...waiting].sort(earlier).reverse()) {
    const line = lines.get(one.project);
    if (line) line.push(one);
    else lines.set(one.project, [one]);
  }
  const order: Waiting[] = [];
  while (lines.size > 0) {
    let best: Waiting[] | null = null;
    for (const line of lines.values()) if (best === null || goesFirst(line.at(-1)!, best.at(-1)!, share)) best = line;
    const next = best!.pop()!;
    if (best!.length === 0) lines.delete(next.project);
    count(next.project);
    order.push(next);
  }
  return order;
}

function goesFirst(a: Waiting, b: Waiting, share: Map<string, number>): boolean {
  const byShare = b.work.priority - a.work.priority || (share.get(a.project) ?? 0) - (share.get(b.project) ?? 0);
  return (byShare || earlier(a, b)) < 0;
}

/** Why work waits: `files` are being prepared; all `slots` are taken; it was offered and no `worker` has taken it; `retry` after a failed attempt. */
export interface Place {
  reason: 'files' | 'slots' | 'worker' | 'retry';
  /** From 1; null while it has no place in a queue. */
  place: number | null;
}
