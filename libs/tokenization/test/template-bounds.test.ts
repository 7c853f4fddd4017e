import { describe, expect, test } from '@jest/globals';
import { BoundedTemplate, TEMPLATE_LIMITS } from '../src/template/bounded-jinja.js';
import { ChatTemplate } from '../src/template/chat-template.js';
import { DEFAULT_TEMPLATE } from '../src/template/choose.js';

const now = new Date('2026-02-03T04:05:06Z');
const render = (source: string, variables = {}) => new BoundedTemplate(source).render(variables, now);
const eos = { id: 2, text: '</s>' };
const byDefault = (tokens = { bos: null, eos, pad: null, unk: null } as ConstructorParameters<typeof ChatTemplate>[1]['tokens']) =>
  new ChatTemplate(DEFAULT_TEMPLATE, { tokens, specialTexts: ['</s>'], isDefault: true });

describe.each([
  ['a template over the length', ' x'.repeat(TEMPLATE_LIMITS.maxSourceLength)],
  ['a long run of white space', `{{ 1 }}${' '.repeat(5000)}`],
  ['a loop of loops that never ends', '{% for a in range(99999) %}{% for b in range(99999) %}{{ a }}{% endfor %}{% endfor %}'],
  ['a range of a thousand million', '{% for i in range(1000000000) %}{% endfor %}'],
  ['a range of infinite length', '{% for i in range(0, 5, 0) %}{% endfor %}'],
  ['a text that doubles', `{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}`],
  ['a list that doubles', '{% set ns = namespace(s=[1,2]) %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}'],
  ['a macro that calls itself', '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'],
  ['brackets nested ten thousand deep', `{{ ${'('.repeat(10_000)}1${')'.repeat(10_000)} }}`],
  ['ifs nested a thousand deep', '{% if true %}'.repeat(1000) + '{% endif %}'.repeat(1000)],
  ['what does not parse', '{% for %}'],
  ['an open tag', '{{'],
  ['an unknown function', '{{ open("/etc/passwd") }}'],
  ['the constructor of a text', '{{ "".constructor.constructor("return process")() }}'],
  ['an exception of its own', "{{ raise_exception('no') }}"],
])('%s', (_name, source) => {
  test('is refused in bounded time', () => {
    const started = performance.now();
    expect(() => render(source)).toThrow(expect.objectContaining({ name: 'TokenizationError', code: 'template_error' }));
    expect(performance.now() - started).toBeLessThan(TEMPLATE_LIMITS.maxMilliseconds + 20_000);
  }, 60_000);
});

test('the date is the one given', () => {
  expect(render("{{ strftime_now('%d %b %Y, %A %H:%M:%S %q %%') }}")).toBe('03 Feb 2026, Tuesday 04:05:06 %q %');
});

test('a conversation of 2,048 messages stays within the bounds', () => {
  const messages = Array.from({ length: 2048 }, (_, index) => ({ role: index % 2 ? 'assistant' : 'user', content: `message ${index}` }));
  const { spans } = byDefault().renderWithSpans(messages);
  expect(spans).toHaveLength(1024);
}, 60_000);

describe('the default template', () => {
  test('writes plain text with the end of text as the end of turn', () => {
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'user', content: 'What is it?' },
      { role: 'assistant', content: 'A cat.' },
    ];
    const { text, spans } = byDefault().renderWithSpans(messages);
    expect(text).toBe('System:\nBe brief.\nUser:\nWhat is it?\nAssistant:\nA cat.</s>\n');
    expect(spans.map(({ start, end }) => text.slice(start, end))).toEqual(['A cat.</s>']);
    expect(text.startsWith(byDefault().render(messages.slice(0, 2), { addGenerationPrompt: true }))).toBe(true);
  });

  test('refuses tools, and a tokenizer without an end of text', () => {
    expect(() => byDefault().render([{ role: 'user', content: 'q' }], { tools: [{}] })).toThrow('no tools');
    expect(() => byDefault({ bos: null, eos: null, pad: null, unk: null }).render([{ role: 'user', content: 'q' }])).toThrow('end-of-text');
  });
});
