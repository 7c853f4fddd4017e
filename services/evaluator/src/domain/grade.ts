import type { OutputItem } from '@tunefleet/contracts';
import { EvaluationError, parseGrader, StringCheck, type TemplateVariables } from '@tunefleet/evaluation';
import type { Row } from '../store/run-objects.js';
import type { EvalRecord, Summary } from '../store/schemas.js';
import type { ItemCheck } from './item-schema.js';

export interface Criterion {
  name: string;
  check: StringCheck;
}

export const criteriaOf = ({ testing_criteria }: EvalRecord): Criterion[] =>
  testing_criteria.map((value, index) => {
    const grader = parseGrader(value, `testing_criteria.${index}`);
    return { name: grader.name, check: new StringCheck(grader) };
  });

/** Grade one row's answer: `pass` when every criterion passes, `error` when the row, its answer or a criterion could not be read. */
export function grade(
  criteria: Criterion[],
  fits: ItemCheck,
  row: Row,
  sample: OutputItem['sample'],
): Pick<OutputItem, 'status' | 'results' | 'sample'> {
  const errored = (code: string, message: string) => ({
    status: 'error' as const,
    results: [],
    sample: { ...sample, error: sample.error ?? { code, message } },
  });
  if (sample.error) return errored(sample.error.code, sample.error.message);
  const misfit = fits(row.item);
  if (misfit !== null) return errored('invalid_value', `the item does not fit the eval's schema: ${misfit}`);
  const output = sample.output[0]?.content;
  const variables: TemplateVariables = output === undefined ? { item: row.item } : { item: row.item, sample: { output_text: output } };
  try {
    const results = criteria.map(({ name, check }) => ({ name, type: 'string_check', ...check.grade(variables) }));
    return { status: results.every((result) => result.passed) ? 'pass' : 'fail', results, sample };
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    return errored(error.code, error.message);
  }
}

/** The summary with one chunk of items added. */
export function addItems(summary: Summary, items: OutputItem[]): Summary {
  const { counts, usage } = summary;
  const having = (status: OutputItem['status']): number => items.filter((item) => item.status === status).length;
  const sum = (of: (item: OutputItem) => number): number => items.reduce((total, item) => total + of(item), 0);
  return {
    counts: {
      total: Math.max(counts.total, counts.passed + counts.failed + counts.errored + items.length),
      passed: counts.passed + having('pass'),
      failed: counts.failed + having('fail'),
      errored: counts.errored + having('error'),
    },
    usage: {
      invocation_count: usage.invocation_count + items.filter((item) => item.sample.usage.total_tokens > 0).length,
      prompt_tokens: usage.prompt_tokens + sum((item) => item.sample.usage.prompt_tokens),
      completion_tokens: usage.completion_tokens + sum((item) => item.sample.usage.completion_tokens),
    },
    criteria: summary.criteria.map(({ passed, failed }, index) => ({
      passed: passed + items.filter((item) => item.results[index]?.passed === true).length,
      failed: failed + items.filter((item) => item.results[index]?.passed === false).length,
    })),
  };
}
