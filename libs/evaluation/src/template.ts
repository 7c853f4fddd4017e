import { EvaluationError } from './errors.js';

/** What a template may read: the row of the data, and the model's answer to it. */
export interface TemplateVariables {
  item: unknown;
  sample?: { output_text: string };
}

type Step = string | number;
/** A text with variables, parsed: literal parts and paths in turn. */
export type ParsedTemplate = readonly (string | { path: readonly Step[]; source: string })[];

/** Characters of a template, and keys of one path. */
const MAX_LENGTH = 1024 * 1024;
const MAX_STEPS = 32;
const STEP = /\.([A-Za-z_][\w-]*|\d+)|\[(?:(\d+)|"([^"]*)"|'([^']*)')\]/y;

/**
 * Parses `{{item.a.b}}`, `{{item.list[0]}}`, `{{item["a b"]}}`, `{{sample.output_text}}`, `{{sample.output_json.a}}`; a language of paths alone, with
 * nothing to call. Errors: `invalid_template`.
 */
export function parseTemplate(text: string): ParsedTemplate {
  if (text.length > MAX_LENGTH) throw new EvaluationError('invalid_template', `a template has at most ${MAX_LENGTH} characters`);
  const parts: (string | { path: readonly Step[]; source: string })[] = [];
  let at = 0;
  for (let open = text.indexOf('{{'); open !== -1; open = text.indexOf('{{', at)) {
    const close = text.indexOf('}}', open);
    if (close === -1) throw new EvaluationError('invalid_template', `\`{{\` at character ${open + 1} is never closed`);
    parts.push(text.slice(at, open));
    const source = text.slice(open + 2, close).trim();
    parts.push({ path: parsePath(source), source });
    at = close + 2;
  }
  parts.push(text.slice(at));
  return parts;
}

/**
 * Fills a template in. Texts stand as they are, everything else as JSON. Only a value's own keys are seen.
 * Errors: `invalid_template`, `invalid_variable`, `sample_parse_error`.
 */
export function renderTemplate(template: string | ParsedTemplate, variables: TemplateVariables): string {
  const parsed = typeof template === 'string' ? parseTemplate(template) : template;
  return parsed.map((part) => (typeof part === 'string' ? part : printed(resolve(part.path, part.source, variables)))).join('');
}

function parsePath(source: string): Step[] {
  const root = /^[A-Za-z_]\w*/.exec(source)?.[0] ?? '';
  const path: Step[] = [root];
  let at = root.length;
  while (at < source.length && path.length <= MAX_STEPS) {
    STEP.lastIndex = at;
    const match = STEP.exec(source);
    if (!match) break;
    const [whole, name, index, double, single] = match;
    path.push(index === undefined ? (name ?? double ?? single ?? '') : Number(index));
    at += whole.length;
  }
  const known = root === 'item' || (root === 'sample' && (path[1] === 'output_text' ? path.length === 2 : path[1] === 'output_json'));
  if (known && at === source.length) return path;
  throw new EvaluationError('invalid_template', `\`{{${source}}}\`: expected item.*, sample.output_text or sample.output_json.*`);
}

function resolve([root, ...steps]: readonly Step[], source: string, { item, sample }: TemplateVariables): unknown {
  if (root === 'item') return follow(item, steps, source);
  if (!sample) throw new EvaluationError('invalid_variable', `\`{{${source}}}\`: there is no sample here`);
  if (steps[0] === 'output_text') return sample.output_text;
  return follow(parseOutput(sample.output_text), steps.slice(1), source);
}

function follow(start: unknown, steps: readonly Step[], source: string): unknown {
  let value = start;
  for (const step of steps) {
    if (
      typeof value !== 'object' ||
      value === null ||
      !Object.hasOwn(value, step) ||
      (Array.isArray(value) && !/^\d+$/.test(String(step)))
    ) {
      throw new EvaluationError('invalid_variable', `\`{{${source}}}\`: there is no \`${step}\``);
    }
    value = (value as Record<Step, unknown>)[step];
  }
  return value;
}

function parseOutput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new EvaluationError('sample_parse_error', 'the output of the model is not JSON');
  }
}

function printed(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
