import { TokenizationError } from '../errors.js';
import type { RenderOptions } from './chat-template.js';
import type { TemplateMessage } from './messages.js';

/** A part of a rendered text: [start, end) in UTF-16 units. */
export interface Span {
  start: number;
  end: number;
}

type Render = (messages: readonly TemplateMessage[], options: RenderOptions) => string;

/** Letters and digits alone: no template trims, splits, escapes or compares them away. */
const MARK = 'Zq7xKv3mWp';
/** Each takes four renderings of the whole conversation. */
const MAX_RENDERED_ANSWERS = 128;
const markOf = (index: number) => `${MARK}${index}Q`;

/**
 * Finds what of a rendered conversation each assistant message is: from the first character that the model has to write after the generation prompt,
 * through its end-of-turn token, without what the template puts after that (a newline).
 *
 * A template is a program, so it is asked: the conversation is rendered again with a mark in place of each answer, and the two texts are walked
 * together. Where that does not fit (the template rewrites the answer, or adds tool calls), the messages before the answer are rendered with a
 * generation prompt, and the answer is what follows up to the end of turn. What ends a turn is learned from a small conversation.
 */
export class AssistantSpans {
  private learned: Turn | undefined;

  constructor(
    private readonly render: Render,
    private readonly specialTexts: readonly string[],
  ) {}

  find(text: string, messages: readonly TemplateMessage[], options: RenderOptions): Span[] {
    const answers = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []));
    if (answers.length === 0) return [];
    this.learned ??= learnTurn(this.render, this.specialTexts);
    const turn = this.learned;
    const walked = this.walk(text, messages, options);
    if (answers.length - (walked?.size ?? 0) > MAX_RENDERED_ANSWERS) {
      throw untraceable(`more than ${MAX_RENDERED_ANSWERS} answers are tool calls or rewritten`);
    }
    let previousEnd = 0;
    return answers.map((index) => {
      const content = walked?.get(index);
      const span = content ? turn.around(text, content, previousEnd) : this.afterPrompt(text, messages, index, options, turn);
      previousEnd = span.end;
      return span;
    });
  }

  /** The contents of the answers that are plain text, by message; null where the texts do not fit. */
  private walk(text: string, messages: readonly TemplateMessage[], options: RenderOptions): Map<number, Span> | null {
    const plain = messages.flatMap((message, index) => (isPlain(message) ? [index] : []));
    if (plain.length === 0 || text.includes(MARK)) return null;
    const marked = messages.map((message, index) => (isPlain(message) ? { ...message, content: markOf(index) } : message));
    const pieces = piecesBetween(this.render(marked, options), plain.map(markOf));
    if (!pieces || !text.startsWith(pieces[0]!)) return null;
    const found = new Map<number, Span>();
    let at = pieces[0]!.length;
    for (const [order, index] of plain.entries()) {
      const rest = pieces[order + 1]!;
      const last = order === plain.length - 1;
      const written = variants(messages[index]!.content!).find((variant) => {
        const after = at + variant.length;
        return text.startsWith(variant, at) && text.startsWith(rest, after) && (!last || after + rest.length === text.length);
      });
      if (written === undefined) return null;
      found.set(index, { start: at, end: at + written.length });
      at += written.length + rest.length;
    }
    return found;
  }

  private afterPrompt(text: string, messages: readonly TemplateMessage[], index: number, options: RenderOptions, turn: Turn): Span {
    if (index === 0) throw untraceable('the conversation begins with an answer that the template rewrites');
    const start = this.promptLength(text, messages.slice(0, index), options);
    const bound = this.nextContent(text, messages, index + 1, options);
    const end = turn.endAfter(text.slice(0, bound), start) ?? (index === messages.length - 1 ? text.length : undefined);
    if (end === undefined) throw untraceable(`the end of message ${index + 1} is not found`);
    return { start, end };
  }

  /** Where the content of a message begins, which the turn before it cannot reach; the end of the text where that is not seen. */
  private nextContent(text: string, messages: readonly TemplateMessage[], index: number, options: RenderOptions): number {
    if (index >= messages.length || text.includes(MARK)) return text.length;
    const marked = messages.map((message, at) => (at === index ? { ...message, content: markOf(at) } : message));
    const before = this.render(marked, options).split(markOf(index))[0]!;
    return text.startsWith(before) ? before.length : text.length;
  }

  /**
   * How much of a text the messages before an answer and the generation prompt are. A prompt may go on in a way of its own (deepseek's asks for a
   * thought): then as far as it agrees, in whole special tokens, but at least through the messages.
   */
  private promptLength(text: string, before: readonly TemplateMessage[], options: RenderOptions): number {
    const prompt = this.render(before, { ...options, addGenerationPrompt: true });
    if (text.startsWith(prompt)) return prompt.length;
    let common = 0;
    while (common < prompt.length && prompt[common] === text[common]) common += 1;
    const cut = this.specialTexts
      .map((token) => text.lastIndexOf(token, common - 1))
      .filter((at, index) => at >= 0 && at + this.specialTexts[index]!.length > common);
    const length = Math.min(common, ...cut);
    if (length < this.render(before, options).length)
      throw untraceable(`message ${before.length + 1} does not follow its generation prompt`);
    return length;
  }
}

/** What a template does around every answer, learned from two turns. */
class Turn {
  constructor(
    /** What it prints between the generation prompt and an answer (a space, an empty thought), the longest first. */
    private readonly leads: readonly string[],
    /** What ends an answer; null where the template prints nothing that does. */
    private readonly ending: string | null,
    private readonly specialTexts: readonly string[],
  ) {}

  /** From the content of an answer to the whole turn; it begins after `from`. */
  around(text: string, content: Span, from: number): Span {
    const lead = this.leads.find((printed) => text.slice(from, content.start).endsWith(printed)) ?? '';
    return { start: content.start - lead.length, end: endOfTurn(text, content.end, this.ending, this.specialTexts) };
  }

  /** The end of the first end-of-turn at or after `from`; where turns end with whatever opens the next one, of the first special token. */
  endAfter(text: string, from: number): number | undefined {
    const ends = (endings: readonly string[]) => {
      const found = endings.map((ending) => ({ at: text.indexOf(ending, from), length: ending.length })).filter(({ at }) => at !== -1);
      found.sort((a, b) => a.at - b.at || b.length - a.length);
      return found[0] && found[0].at + found[0].length;
    };
    return (this.ending === null ? undefined : ends([this.ending])) ?? ends(this.specialTexts);
  }
}

const PROBE: readonly TemplateMessage[] = [
  { role: 'user', content: 'Aa' },
  { role: 'assistant', content: markOf(0) },
  { role: 'user', content: 'Bb' },
  { role: 'assistant', content: markOf(1) },
];

function learnTurn(render: Render, specialTexts: readonly string[]): Turn {
  const text = render(PROBE, {});
  const pieces = piecesBetween(text, [markOf(0), markOf(1)]);
  if (!pieces) throw untraceable('it does not print the answers of a conversation once each');
  const leads = [1, 3].flatMap((index) => {
    const prompt = render(PROBE.slice(0, index), { addGenerationPrompt: true });
    const start = text.indexOf(markOf(index === 1 ? 0 : 1));
    return text.startsWith(prompt) && prompt.length < start ? [text.slice(prompt.length, start)] : [];
  });
  const ending = endingOf(pieces[1]!, specialTexts) ?? /^\S{1,64}/.exec(pieces[2]!)?.[0] ?? null;
  return new Turn(
    leads.sort((a, b) => b.length - a.length),
    ending,
    specialTexts,
  );
}

/** The special token that a text begins with, white space before it included. */
function endingOf(text: string, specialTexts: readonly string[]): string | null {
  const space = /^\s*/.exec(text)![0];
  const token = specialTexts.filter((special) => text.startsWith(special, space.length)).sort((a, b) => b.length - a.length)[0];
  return token === undefined ? null : space + token;
}

function endOfTurn(text: string, contentEnd: number, ending: string | null, specialTexts: readonly string[]): number {
  if (ending !== null && text.startsWith(ending, contentEnd)) return contentEnd + ending.length;
  return contentEnd + (endingOf(text.slice(contentEnd, contentEnd + 256), specialTexts)?.length ?? 0);
}

/** What lies between marks that each occur once and in order; null else. */
function piecesBetween(text: string, marks: readonly string[]): string[] | null {
  const pieces: string[] = [];
  let at = 0;
  for (const mark of marks) {
    const found = text.indexOf(mark, at);
    if (found === -1) return null;
    pieces.push(text.slice(at, found));
    at = found + mark.length;
  }
  pieces.push(text.slice(at));
  return pieces.some((piece) => piece.includes(MARK)) ? null : pieces;
}

function isPlain({ role, content, tool_calls: calls }: TemplateMessage): boolean {
  return role === 'assistant' && typeof content === 'string' && !calls;
}

/** How templates trim an answer. */
function variants(content: string): string[] {
  return [content, content.trim(), content.trimStart(), content.trimEnd()];
}

function untraceable(why: string): TokenizationError {
  return new TokenizationError('untraceable_template', `which tokens are the assistant's cannot be told from the chat template: ${why}`);
}
