import { duration, percent } from './text.js';

const WIDTH = 24;

export interface Progress {
  done: number;
  /** null where it is not known: no bar is drawn then. */
  total: number | null;
  /** Seconds, or null. */
  left: number | null;
  /** e.g. `loss 1.234`. */
  details: string[];
}

/** `[████░░░░] 12/48 25.0 %  loss 1.234  410 tokens/s  1m 3s left` */
export function progressLine({ done, total, left, details }: Progress): string {
  const share = total === null || total === 0 ? null : Math.min(1, done / total);
  const filled = Math.round((share ?? 0) * WIDTH);
  const bar = share === null ? `step ${done}` : `[${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}] ${done}/${total} ${percent(share)}`;
  return [bar, ...details, ...(left === null ? [] : [`${duration(left)} left`])].join('  ');
}

/** Between two lines where nothing can be written over: once in this many ms. */
const QUIET_MS = 5000;

/** Draws over itself on a terminal; elsewhere writes a line now and then. `note` writes a line that stays. */
export class Display {
  #drawn = '';
  #written = '';
  #at = 0;
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(line: string): void {
    this.#drawn = line;
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[2K${line.slice(0, this.#stream.columns - 1)}`);
      return;
    }
    if (Date.now() - this.#at < QUIET_MS) return;
    this.#write(line);
  }

  note(line: string): void {
    if (this.#stream.isTTY) this.#stream.write(`\r\x1b[2K${line}\n`);
    else this.#stream.write(`${line}\n`);
  }

  /** The last state stays to be read. */
  end(): void {
    if (this.#drawn === '') return;
    if (this.#stream.isTTY) this.#stream.write('\n');
    else if (this.#written !== this.#drawn) this.#write(this.#drawn);
    this.#drawn = '';
  }

  #write(line: string): void {
    this.#at = Date.now();
    this.#written = line;
    this.#stream.write(`${line}\n`);
  }
}
