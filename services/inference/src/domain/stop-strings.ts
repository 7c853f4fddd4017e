/** Cuts text that arrives in pieces before the first of some strings, holding back only what could be the beginning of one. */
export class StopStrings {
  private held = '';
  stopped = false;

  constructor(private readonly strings: readonly string[]) {}

  /** The text that is certain to come before any stop string. */
  push(piece: string): string {
    if (this.stopped) return '';
    const text = this.held + piece;
    const found = this.strings.map((stop) => text.indexOf(stop)).filter((index) => index >= 0);
    if (found.length > 0) {
      this.stopped = true;
      this.held = '';
      return text.slice(0, Math.min(...found));
    }
    const keep = Math.max(0, ...this.strings.map((stop) => overlap(text, stop)));
    this.held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** What was held back, once no more text comes. */
  end(): string {
    const rest = this.stopped ? '' : this.held;
    this.held = '';
    return rest;
  }
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
