import { EvaluationError } from './errors.js';
import { type ParsedTemplate, parseTemplate, renderTemplate, type TemplateVariables } from './template.js';

const OPERATIONS = ['eq', 'ne', 'like', 'ilike'] as const;
/** `like`: the input contains the reference; `ilike`: whatever their case. */
export type StringOperation = (typeof OPERATIONS)[number];

export interface StringCheckGrader {
  type: 'string_check';
  name: string;
  /** Templates. */
  input: string;
  reference: string;
  operation: StringOperation;
}

export type Grader = StringCheckGrader;

export interface Grade {
  passed: boolean;
  /** 1 or 0. */
  score: number;
}

/** Graders of the API that are not built yet. */
const LATER = ['text_similarity', 'python', 'score_model', 'label_model', 'multi', 'endpoint'];
const FIELDS = ['type', 'name', 'input', 'reference', 'operation'] as const;

/**
 * A grader as a request gives it, checked, templates included. `param` is its place in the request (`testing_criteria[0]`).
 * Errors: `not_supported` for the graders that are not built, `invalid_type`, `invalid_value`, `unknown_parameter`, `missing_required_parameter`, `invalid_template`.
 */
export function parseGrader(value: unknown, param: string): Grader {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new EvaluationError('invalid_type', 'a grader is an object', param);
  const given = value as Record<string, unknown>;
  const { type } = given;
  if (typeof type === 'string' && LATER.includes(type))
    throw new EvaluationError('not_supported', `the grader ${type} is not supported yet`, `${param}.type`);
  if (type !== 'string_check')
    throw new EvaluationError('invalid_value', `unknown grader ${JSON.stringify(type)}; expected string_check`, `${param}.type`);
  const stranger = Object.keys(given).find((key) => !(FIELDS as readonly string[]).includes(key));
  if (stranger !== undefined)
    throw new EvaluationError('unknown_parameter', `a string_check grader has no \`${stranger}\``, `${param}.${stranger}`);
  const [name, input, reference, operation] = (['name', 'input', 'reference', 'operation'] as const).map((field) =>
    textOf(given, field, param),
  );
  if (!isOperation(operation!))
    throw new EvaluationError('invalid_value', `expected one of ${OPERATIONS.join(', ')}`, `${param}.operation`);
  for (const field of ['input', 'reference'] as const) checkTemplate(given[field] as string, `${param}.${field}`);
  return { type, name: name!, input: input!, reference: reference!, operation };
}

/** Grades rows with one grader. */
export class StringCheck {
  private readonly input: ParsedTemplate;
  private readonly reference: ParsedTemplate;
  private readonly operation: StringOperation;

  constructor(grader: StringCheckGrader) {
    this.input = parseTemplate(grader.input);
    this.reference = parseTemplate(grader.reference);
    this.operation = grader.operation;
  }

  /** Errors: `invalid_variable`, `sample_parse_error`: the row is errored, not failed. */
  grade(variables: TemplateVariables): Grade {
    const passed = compare(renderTemplate(this.input, variables), renderTemplate(this.reference, variables), this.operation);
    return { passed, score: passed ? 1 : 0 };
  }
}

function compare(input: string, reference: string, operation: StringOperation): boolean {
  switch (operation) {
    case 'eq':
      return input === reference;
    case 'ne':
      return input !== reference;
    case 'like':
      return input.includes(reference);
    case 'ilike':
      return input.toLowerCase().includes(reference.toLowerCase());
  }
}

function textOf(given: Record<string, unknown>, field: string, param: string): string {
  const value = given[field];
  if (value === undefined)
    throw new EvaluationError('missing_required_parameter', `a string_check grader needs \`${field}\``, `${param}.${field}`);
  if (typeof value !== 'string') throw new EvaluationError('invalid_type', `\`${field}\` is a text`, `${param}.${field}`);
  return value;
}

function checkTemplate(text: string, param: string): void {
  try {
    parseTemplate(text);
  } catch (error) {
    if (error instanceof EvaluationError) throw new EvaluationError(error.code, error.message, param);
    throw error;
  }
}

function isOperation(text: string): text is StringOperation {
  return (OPERATIONS as readonly string[]).includes(text);
}
