import { expect, test } from '@jest/globals';
import { parseGrader, StringCheck, type StringOperation } from '../src/grader.js';

const grader = (operation: string) => ({
  type: 'string_check',
  name: 'intent',
  input: '{{sample.output_text}}',
  reference: '{{item.label}}',
  operation,
});
const grade = (operation: StringOperation, output: string, label: string) =>
  new StringCheck(parseGrader(grader(operation), 'g')).grade({ item: { label }, sample: { output_text: output } }).passed;

test.each<[StringOperation, string, string, boolean]>([
  ['eq', 'card', 'card', true],
  ['eq', 'Card', 'card', false],
  ['eq', 'card ', 'card', false],
  ['ne', 'card', 'card', false],
  ['ne', 'cash', 'card', true],
  ['like', 'my card here', 'card', true],
  ['like', 'my Card here', 'card', false],
  ['like', 'car', 'card', false],
  ['ilike', 'my CARD here', 'cArd', true],
  ['ilike', 'car', 'card', false],
  ['like', '100%', '%', true],
])('%s: %j against %j is %s', (operation, output, label, passed) => {
  expect(grade(operation, output, label)).toBe(passed);
});

test.each<[string, unknown, string, string]>([
  ...['text_similarity', 'python', 'score_model', 'label_model', 'multi'].map((type): [string, unknown, string, string] => [
    type,
    { ...grader('eq'), type },
    'not_supported',
    't.type',
  ]),
  ['an unknown grader', { ...grader('eq'), type: 'regex' }, 'invalid_value', 't.type'],
  ['an unknown operation', grader('contains'), 'invalid_value', 't.operation'],
  ['an unknown key', { ...grader('eq'), extra: 1 }, 'unknown_parameter', 't.extra'],
  ['a name that is a number', { ...grader('eq'), name: 1 }, 'invalid_type', 't.name'],
  ['no reference', { type: 'string_check', name: 'x', input: 'a', operation: 'eq' }, 'missing_required_parameter', 't.reference'],
  ['a template that is none', { ...grader('eq'), input: '{{secret}}' }, 'invalid_template', 't.input'],
  ['a list', [], 'invalid_type', 't'],
])('%s is refused by name', (_name, value, code, param) => {
  expect(() => parseGrader(value, 't')).toThrow(expect.objectContaining({ code, param }));
});
