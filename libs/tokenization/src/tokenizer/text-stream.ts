const REPLACEMENT = '\ufffd';
/** Bytes of the longest UTF-8 character: so many byte tokens may be held back. */
const MAX_HELD = 4;

/**
 * Turns tokens into text as they come, never cutting a character: what is pushed and what {@link end} gives, joined, is the text of all tokens.
 * Each new piece is what the decoded window gained, so that decoders that treat the first token apart (leading spaces) are right.
 */
export class TextStream {
  private window: number[];
  private shown: string | undefined;
  private held = 0;

  /** `context`: the tokens before the first (the end of the prompt), for the space between them. */
  constructor(
    private readonly decode: (ids: readonly number[]) => Promise<string>,
    context: readonly number[] = [],
  ) {
    this.window = context.slice(-MAX_HELD);
  }

  /** The text that is now certain; often ''. */
  async push(id: number): Promise<string> {
    this.shown ??= await this.decode(this.window);
    this.window.push(id);
    this.held += 1;
    const text = await this.decode(this.window);
    if (text.endsWith(REPLACEMENT) && this.held < MAX_HELD) return '';
    return this.emit(text);
  }

  /** The rest. */
  async end(): Promise<string> {
    if (this.held === 0) return '';
    return this.emit(await this.decode(this.window));
  }

  private async emit(text: string): Promise<string> {
    const piece = text.slice(this.shown!.length);
    // The next window begins with the tokens just shown: enough context, and decoding stays constant in cost.
    this.window = this.window.slice(-MAX_HELD);
    this.held = 0;
    this.shown = await this.decode(this.window);
    return piece;
  }
}
