import { readFileSync } from 'node:fs';

/** Bytes of this process. */
export interface MemoryFigures {
  /** Largest resident set so far (VmHWM). */
  readonly peak: number;
  readonly resident: number;
  /** Resident pages that belong to no file: without mapped weights (RssAnon). Null where the system does not say. */
  readonly anonymous: number | null;
}

export const memoryFigures = (): MemoryFigures => {
  if (process.platform !== 'linux') {
    return { peak: process.resourceUsage().maxRSS * 1024, resident: process.memoryUsage.rss(), anonymous: null };
  }
  const status = readFileSync('/proc/self/status', 'utf8');
  const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024;
  return { peak: bytes('VmHWM'), resident: bytes('VmRSS'), anonymous: bytes('RssAnon') };
};
