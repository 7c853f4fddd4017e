import { describe, expect, test } from '@jest/globals';
import { renderTemplate } from '../src/template.js';

const item = { label: 'card', n: 5, deep: { list: ['a', { b: 'c' }], 'a b': 'd', none: null }, __proto__: { inherited: 'x' } };
const sample = { output_text: '{"intent": "card", "scores": [0.5]}' };

test.each([
  ['plain text', 'plain text'],
  ['', ''],
  ['{{item.label}}', 'card'],
  ['{{ item.label }}!', 'card!'],
  ['{{item.n}}', '5'],
  ['{{item.deep.list[0]}}{{item.deep.list.1.b}}', 'ac'],
  ['{{item.deep["a b"]}}', 'd'],
  ['{{item.deep.none}}', 'null'],
  ['{{item.deep.list}}', '["a",{"b":"c"}]'],
  ['{{sample.output_text}}', sample.output_text],
  ['{{sample.output_json.intent}} {{sample.output_json.scores[0]}}', 'card 0.5'],
  ['} {x} }}', '} {x} }}'],
])('%s', (template, expected) => {
  expect(renderTemplate(template, { item, sample })).toBe(expected);
});

describe.each([
  ['{{item.missing}}', 'invalid_variable'],
  ['{{item.inherited}}', 'invalid_variable'],
  ['{{item.constructor}}', 'invalid_variable'],
  ['{{item.__proto__}}', 'invalid_variable'],
  ['{{item.label.length}}', 'invalid_variable'],
  ['{{item.deep.list.length}}', 'invalid_variable'],
  ['{{item.deep.list[9]}}', 'invalid_variable'],
  ['{{sample.output_json.missing}}', 'invalid_variable'],
  ['{{process.env}}', 'invalid_template'],
  ['{{sample.other}}', 'invalid_template'],
  ['{{sample.output_text.length}}', 'invalid_template'],
  ['{{item.label()}}', 'invalid_template'],
  ['{{item.n + 1}}', 'invalid_template'],
  ['{{ }}', 'invalid_template'],
  ['{{item.label', 'invalid_template'],
  [`{{item${'.a'.repeat(100)}}}`, 'invalid_template'],
])('%s', (template, code) => {
  test(`is ${code}`, () => {
    expect(() => renderTemplate(template, { item, sample })).toThrow(expect.objectContaining({ code }));
  });
});

test('an output that is not JSON is a parse error, an absent sample is named', () => {
  expect(() => renderTemplate('{{sample.output_json.a}}', { item, sample: { output_text: 'no' } })).toThrow(
    expect.objectContaining({ code: 'sample_parse_error' }),
  );
  expect(() => renderTemplate('{{sample.output_text}}', { item })).toThrow(expect.objectContaining({ code: 'invalid_variable' }));
});

test('what a variable holds is not read as a template again', () => {
  expect(renderTemplate('{{item.label}}', { item: { label: '{{item.secret}}', secret: 's' } })).toBe('{{item.secret}}');
});
