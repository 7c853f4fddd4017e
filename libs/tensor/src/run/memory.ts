import { readFileSync } from 'node:fs';

/** Bytes of this process. */
export interface MemoryFigures {
  /** Largest resident set so far (VmHWM). */
  readonly peak: number;
  readonly resident: number;
  /** Resident pages that belong to no file: without mapped weights (RssAnon). Null where the system does not say. */
  readonly anonymous: number | null;
}

/** What /proc/self/status says; some sandboxes (gVisor) leave fields out of it. */
export const figuresIn = (status: string): MemoryFigures => {
  const bytes = (field: string): number | null => {
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  };
  return {
    peak: bytes('VmHWM') ?? process.resourceUsage().maxRSS * 1024,
    resident: bytes('VmRSS') ?? process.memoryUsage.rss(),
    anonymous: bytes('RssAnon'),
  };
};

export const memoryFigures = (): MemoryFigures => figuresIn(process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : '');
