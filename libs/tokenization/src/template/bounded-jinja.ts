import { TokenizationError } from '../errors.js';
import { Environment, type Program, parse, type SyntaxNode, tokenize, type Value } from './jinja-library.js';
import { PythonicInterpreter } from './pythonic-interpreter.js';
import { strftime } from './strftime.js';

/** Bounds on a template, which comes from whoever made the model. */
export const TEMPLATE_LIMITS = {
  /** Characters of the template. */
  maxSourceLength: 256 * 1024,
  /** Characters of white space in a row: the library's lexer takes time quadratic in them. */
  maxSpaceRun: 1000,
  /** Nodes within nodes, macro calls included. */
  maxDepth: 200,
  /** Nodes evaluated in one rendering: a conversation of 2,048 messages takes some 100,000. */
  maxSteps: 2_000_000,
  /** Characters of any text, items of any list. */
  maxTextLength: 32 * 1024 * 1024,
  maxListLength: 100_000,
  /** Milliseconds of one rendering: generous, so that a busy machine does not decide what is refused. */
  maxMilliseconds: 10_000,
} as const;

/** The interpreter with every node counted. */
class BoundedInterpreter extends PythonicInterpreter {
  private steps = 0;
  private depth = 0;
  private readonly deadline = performance.now() + TEMPLATE_LIMITS.maxMilliseconds;

  override evaluate(node: SyntaxNode | undefined, environment: unknown): Value {
    this.steps += 1;
    this.depth += 1;
    if (this.depth > TEMPLATE_LIMITS.maxDepth) throw beyond(`nested deeper than ${TEMPLATE_LIMITS.maxDepth}`);
    if (this.steps > TEMPLATE_LIMITS.maxSteps) throw beyond(`more than ${TEMPLATE_LIMITS.maxSteps} steps`);
    if (this.steps % 256 === 0 && performance.now() > this.deadline) throw beyond(`more than ${TEMPLATE_LIMITS.maxMilliseconds} ms`);
    try {
      const result = super.evaluate(node, environment);
      const { value } = result;
      if (typeof value === 'string' && value.length > TEMPLATE_LIMITS.maxTextLength) throw beyond('a text grows beyond its bound');
      if (Array.isArray(value) && value.length > TEMPLATE_LIMITS.maxListLength) throw beyond('a list grows beyond its bound');
      return result;
    } finally {
      this.depth -= 1;
    }
  }
}

/** A parsed Jinja template that can be rendered within {@link TEMPLATE_LIMITS}, as transformers renders chat templates. */
export class BoundedTemplate {
  private readonly program: Program;

  /** Errors: `template_error`. */
  constructor(source: string) {
    if (source.length > TEMPLATE_LIMITS.maxSourceLength) throw beyond(`longer than ${TEMPLATE_LIMITS.maxSourceLength} characters`);
    if (/\s{1001}/.test(source)) throw beyond(`more than ${TEMPLATE_LIMITS.maxSpaceRun} characters of white space in a row`);
    try {
      this.program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    } catch (cause) {
      throw asTemplateError(cause);
    }
  }

  /** `now` is what `strftime_now` tells. Errors: `template_error`, with the template's own words where it raised an exception. */
  render(variables: Readonly<Record<string, unknown>>, now: Date): string {
    const environment = new Environment();
    for (const [name, value] of Object.entries({ ...constants(now), ...variables })) environment.set(name, value);
    try {
      return new BoundedInterpreter(environment).run(this.program).value;
    } catch (cause) {
      throw asTemplateError(cause);
    }
  }
}

function constants(now: Date): Record<string, unknown> {
  return {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    raise_exception: (message: unknown) => {
      throw new TokenizationError('template_error', `the chat template refuses the messages: ${String(message)}`);
    },
    range: boundedRange,
    strftime_now: (format: string) => strftime(now, format),
  };
}

function boundedRange(first: number, second?: number, step = 1): number[] {
  const [start, stop] = typeof second === 'number' ? [first, second] : [0, first];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= TEMPLATE_LIMITS.maxListLength)) throw beyond('a range grows beyond its bound');
  return Array.from({ length }, (_, index) => start + index * step);
}

function beyond(what: string): TokenizationError {
  return new TokenizationError('template_error', `the chat template breaks a bound: ${what}`);
}

function asTemplateError(cause: unknown): TokenizationError {
  if (cause instanceof TokenizationError) return cause;
  // The parser recurses: a template nested a thousand deep ends its stack.
  if (cause instanceof RangeError) return beyond('nested too deep, or a text too long');
  return new TokenizationError('template_error', `the chat template fails: ${(cause as Error).message}`, { cause });
}
