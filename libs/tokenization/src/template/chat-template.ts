import { TokenizationError } from '../errors.js';
import type { SpecialTokens } from '../tokenizer/special-tokens.js';
import { AssistantSpans, type Span } from './assistant-spans.js';
import { BoundedTemplate } from './bounded-jinja.js';
import { SPAN_END, SPAN_START, spansOfMarks, withGenerationMarks } from './generation-tags.js';
import { type TemplateMessage, templateMessages } from './messages.js';

export interface RenderOptions {
  /** OpenAI's tool definitions. */
  tools?: readonly unknown[] | undefined;
  /** Ends with the beginning of an assistant's turn. Default false. */
  addGenerationPrompt?: boolean;
  /** What templates that print the date take for today. Default {@link DEFAULT_DATE}. */
  now?: Date;
}

/** The day that a template prints where none is given: a fixed one, so that the same rows give the same tokens on any day. */
export const DEFAULT_DATE = new Date('2026-01-01T00:00:00Z');

/** A rendered conversation. `spans[i]` is what the i-th assistant message's author wrote: its text and its end-of-turn token. */
export interface RenderedChat {
  text: string;
  spans: Span[];
}

/** A model's chat template. It is untrusted: rendered within bounds, see `TEMPLATE_LIMITS`. */
export class ChatTemplate {
  /** Whether it is the default for tokenizers that bring none. */
  readonly isDefault: boolean;
  private readonly template: BoundedTemplate;
  private readonly marked: BoundedTemplate | null;
  private readonly spans: AssistantSpans;
  private readonly variables: Record<string, unknown>;

  /** Errors: `template_error`. */
  constructor(
    readonly source: string,
    about: { tokens: SpecialTokens; specialTexts: readonly string[]; isDefault: boolean },
  ) {
    const { tokens } = about;
    this.isDefault = about.isDefault;
    this.template = new BoundedTemplate(source);
    const marked = withGenerationMarks(source);
    this.marked = marked === null ? null : new BoundedTemplate(marked);
    this.variables = { documents: null };
    for (const role of ['bos', 'eos', 'pad', 'unk'] as const) if (tokens[role]) this.variables[`${role}_token`] = tokens[role].text;
    this.spans = new AssistantSpans((messages, options) => this.render(messages, options), about.specialTexts);
  }

  /** The conversation as text, as `apply_chat_template(tokenize=False)`. Errors: `template_error`. */
  render(messages: readonly TemplateMessage[], options: RenderOptions = {}): string {
    return this.renderWith(this.template, messages, options);
  }

  /**
   * The conversation with the assistant's spans, in the order of the assistant's messages.
   * Errors: `template_error`; `untraceable_template` where the spans cannot be told.
   */
  renderWithSpans(messages: readonly TemplateMessage[], options: Omit<RenderOptions, 'addGenerationPrompt'> = {}): RenderedChat {
    if (this.marked && !messages.some(holdsMark)) {
      const rendered = spansOfMarks(this.renderWith(this.marked, messages, options));
      const assistants = messages.filter(({ role }) => role === 'assistant').length;
      if (rendered.spans.length === assistants) return rendered;
    }
    const text = this.render(messages, options);
    const spans = this.spans.find(text, messages, options);
    checkToolCalls(text, spans, messages);
    return { text, spans };
  }

  /** Templates differ in whether a tool call's arguments are an object or text; the one that renders is taken, the object first. */
  private renderWith(template: BoundedTemplate, messages: readonly TemplateMessage[], options: RenderOptions): string {
    const attempt = (argumentsAsText: boolean) =>
      template.render(
        {
          ...this.variables,
          messages: templateMessages(messages, argumentsAsText),
          tools: options.tools ?? null,
          add_generation_prompt: options.addGenerationPrompt ?? false,
        },
        options.now ?? DEFAULT_DATE,
      );
    try {
      return attempt(false);
    } catch (error) {
      if (!(error instanceof TokenizationError) || !messages.some(({ tool_calls: calls }) => calls)) throw error;
      return attempt(true);
    }
  }
}

/** A template that knows no tool calls leaves them out without a word, and the model would learn to say nothing. */
function checkToolCalls(text: string, spans: readonly Span[], messages: readonly TemplateMessage[]): void {
  const answers = messages.filter(({ role }) => role === 'assistant');
  for (const [index, { tool_calls: calls }] of answers.entries()) {
    const { start, end } = spans[index]!;
    const missing = calls?.find((call) => !text.slice(start, end).includes(call.function.name));
    if (missing) throw new TokenizationError('template_error', `the chat template does not print tool calls (${missing.function.name})`);
  }
}

function holdsMark({ content }: TemplateMessage): boolean {
  return typeof content === 'string' && (content.includes(SPAN_START) || content.includes(SPAN_END));
}
