import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ChatTemplate } from '../src/template/chat-template.js';
import type { TemplateMessage } from '../src/template/messages.js';

interface Conversation {
  messages: (Omit<TemplateMessage, 'tool_calls'> & { tool_calls?: { function: { name: string; arguments: object } }[] })[];
  tools?: unknown[];
  add_generation_prompt?: boolean;
}
interface Fixture {
  conversations: Conversation[];
  rendered: Record<string, ({ text: string } | { error: string })[]>;
}

const read = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const { conversations, rendered } = JSON.parse(read('rendered.json')) as Fixture;
const tokens = { bos: { id: 1, text: '<s>' }, eos: { id: 2, text: '</s>' }, pad: null, unk: null };

/** The special tokens that the family's tokenizer has: what the template prints between angle brackets, but for words of its plain text. */
const specialsOf = (source: string) => [
  '<s>',
  '</s>',
  ...new Set((source.match(/<[^<>\s'"{}]{2,40}>/g) ?? []).filter((text) => !/^<\/|^<think>|^<tool|^<function|^<arg/.test(text))),
];
const template = (family: string) => {
  const source = read(`chat-templates/${family}.jinja`);
  return new ChatTemplate(source, { tokens, specialTexts: specialsOf(source), isDefault: false });
};
/** As the OpenAI API has them: arguments are text. */
const openAi = ({ messages }: Conversation) =>
  messages.map((message) => ({
    ...message,
    ...(message.tool_calls && {
      tool_calls: message.tool_calls.map((call) => ({
        ...call,
        function: { ...call.function, arguments: JSON.stringify(call.function.arguments) },
      })),
    }),
  })) as TemplateMessage[];

/** What an answer of the second conversation must be trained on: [first answer, last answer]. */
const ENDINGS: Record<string, [string, string]> = {
  alpaca: [' Hello <b>there</b>. \n</s>', 'Bye.</s>'],
  chatml: [' Hello <b>there</b>. \n<|im_end|>', 'Bye.<|im_end|>'],
  cohere: ['Hello <b>there</b>.<|END_OF_TURN_TOKEN|>', 'Bye.<|END_OF_TURN_TOKEN|>'],
  deepseekv3: [' Hello <b>there</b>. \n<｜end▁of▁sentence｜>', 'Bye.<｜end▁of▁sentence｜>'],
  falcon_h1: [' Hello <b>there</b>. \n<|im_end|>', 'Bye.<|im_end|>'],
  gemma: ['Hello <b>there</b>.<end_of_turn>', 'Bye.<end_of_turn>'],
  gemma3: ['Hello <b>there</b>.<end_of_turn>', 'Bye.<end_of_turn>'],
  // The next turn's token ends a turn of GLM; after the last answer there is none.
  glm4moe: ['\n<think></think>\nHello <b>there</b>.<|user|>', '\n<think></think>\nBye.'],
  lfm2: [' Hello <b>there</b>. \n<|im_end|>', 'Bye.<|im_end|>'],
  llama3: ['Hello <b>there</b>.<|eot_id|>', 'Bye.<|eot_id|>'],
  llama3_1: ['Hello <b>there</b>.<|eot_id|>', 'Bye.<|eot_id|>'],
  llama3_2: ['Hello <b>there</b>.<|eot_id|>', 'Bye.<|eot_id|>'],
  mistral_v1: ['  Hello <b>there</b>. \n</s>', ' Bye.</s>'],
  mistral_v3_tekken: [' Hello <b>there</b>. \n</s>', 'Bye.</s>'],
  phi3: [' Hello <b>there</b>. \n<|end|>', 'Bye.<|end|>'],
  qwen2_5: [' Hello <b>there</b>. \n<|im_end|>', 'Bye.<|im_end|>'],
  qwen3: [' Hello <b>there</b>. \n<|im_end|>', '<think>\n\n</think>\n\nBye.<|im_end|>'],
};

/** Where what transformers renders is not wanted. */
const DEVIATIONS: Record<string, (theirs: { text?: string; error?: string }) => { text: string } | { error: string }> = {
  // Python prints `None` for content that is null.
  'glm4moe 5': ({ text }) => ({ text: text!.replace('</think>\nNone\n', '</think>\n') }),
  'llama3 5': () => ({ error: 'trim of null' }),
  // It takes arguments as text alone, which transformers was not given and the API has.
  'deepseekv3 5': () => ({
    text:
      '<s><｜User｜>Hi?<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n' +
      JSON.stringify(conversations[5]!.messages[1]!.tool_calls![0]!.function.arguments) +
      '\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜><｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>rain' +
      '<｜tool▁output▁end｜><｜tool▁outputs▁end｜>Rain.<｜end▁of▁sentence｜>',
  }),
};

describe.each(Object.keys(rendered))('%s', (family) => {
  test.each(conversations.map((_, index) => index))('renders conversation %i as transformers does', (index) => {
    const { tools, add_generation_prompt: addGenerationPrompt = false } = conversations[index]!;
    const expected = DEVIATIONS[`${family} ${index}`]?.(rendered[family]![index]!) ?? rendered[family]![index]!;
    const render = () => template(family).render(openAi(conversations[index]!), { tools, addGenerationPrompt });
    if ('text' in expected) expect(render()).toBe(expected.text);
    else expect(render).toThrow(expect.objectContaining({ code: 'template_error' }));
  });

  test('trains on each answer with its end of turn and nothing after', () => {
    const { text, spans } = template(family).renderWithSpans(openAi(conversations[1]!));
    expect(spans.map(({ start, end }) => text.slice(start, end))).toEqual(ENDINGS[family]);
  });

  test('traces any answers', () => {
    const traced = template(family);
    const last = ENDINGS[family]![0].replace(/^[\s\S]*there<\/b>\.\s*/, '');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' })), { minLength: 1, maxLength: 4 }),
        (turns) => {
          const messages = turns.flatMap(([content, answer]) => [
            { role: 'user', content },
            { role: 'assistant', content: answer },
          ]);
          const { text, spans } = traced.renderWithSpans(messages);
          for (const [index, [, answer]] of turns.entries()) {
            const span = text.slice(spans[index]!.start, spans[index]!.end);
            expect(span).toContain(answer.trim());
            if (family !== 'glm4moe') expect(span.endsWith(last)).toBe(true);
            expect(spans[index]!.start).toBeGreaterThanOrEqual(spans[index - 1]?.end ?? 0);
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);

  test('trains from where the generation prompt ends', () => {
    // deepseek's asks for a thought, which it then leaves out of the conversation.
    if (family === 'deepseekv3') return;
    const messages = openAi(conversations[1]!);
    const { text, spans } = template(family).renderWithSpans(messages);
    for (const [order, index] of [1, 3].entries()) {
      expect(text.slice(0, spans[order]!.start)).toBe(template(family).render(messages.slice(0, index), { addGenerationPrompt: true }));
    }
  });
});

test.each<[string, string[]]>([
  ['qwen3', ['<tool_call>', 'Rain.<|im_end|>']],
  ['qwen2_5', ['<tool_call>', 'Rain.<|im_end|>']],
  ['llama3_1', ['{"name": "weather"', 'Rain.<|eot_id|>']],
  ['mistral_v3_tekken', ['[TOOL_CALLS]', 'Rain.</s>']],
  ['deepseekv3', ['<｜tool▁calls▁begin｜>', 'Rain.<｜end▁of▁sentence｜>']],
])('%s: a tool call is trained on through its end of turn', (family, starts) => {
  const { tools } = conversations[5]!;
  const { text, spans } = template(family).renderWithSpans(openAi(conversations[5]!), { tools });
  const trained = spans.map(({ start, end }) => text.slice(start, end));
  expect(trained).toHaveLength(2);
  expect(trained[0]).toContain(starts[0]);
  expect(trained[0]).toContain('Zürich');
  expect(trained[0]).toMatch(/(<\|im_end\|>|<\|eot_id\|>|<\/s>|<｜end▁of▁sentence｜>)$/);
  expect(trained[0]).not.toContain('rain');
  expect(trained[1]).toContain(starts[1]);
});

test('glm: a tool call ends where the answer of the tool begins', () => {
  const { tools } = conversations[5]!;
  const messages = [...openAi(conversations[5]!), { role: 'user', content: 'Thanks.' }, { role: 'assistant', content: 'Bye.' }];
  const { text, spans } = template('glm4moe').renderWithSpans(messages, { tools });
  const trained = spans.map(({ start, end }) => text.slice(start, end));
  expect(trained[0]).toMatch(/<tool_call>weather[\s\S]*<\/tool_call><\|observation\|>$/);
  expect(trained.slice(1)).toEqual(['\n<think></think>\nRain.<|user|>', '\n<think></think>\nBye.']);
});

test('a conversation of more tool calls than can be traced is refused', () => {
  const call = openAi(conversations[5]!).slice(1, 3);
  const messages = [{ role: 'user', content: 'Go.' }, ...Array.from({ length: 300 }, () => call).flat()];
  expect(() => template('qwen2_5').renderWithSpans(messages)).toThrow(expect.objectContaining({ code: 'untraceable_template' }));
}, 60_000);

test('a template that leaves tool calls out is refused, rather than trained to say nothing', () => {
  expect(() => template('lfm2').renderWithSpans(openAi(conversations[5]!))).toThrow('does not print tool calls (weather)');
});

test('a thought that the template rewrites is trained on as it is printed', () => {
  const { text, spans } = template('qwen3').renderWithSpans(openAi(conversations[3]!));
  expect(text.slice(spans[0]!.start, spans[0]!.end)).toBe('<think>\nhm\n</think>\n\nYes.<|im_end|>');
});

test('the tags that say what is generated are followed, white space around them as before', () => {
  const source = `{%- for m in messages %}
    {{- '<' + m.role + '>' }}
    {%- if m.role == 'assistant' %}
        {%- generation %}
        {{- m.content + '<end>' }}
        {%- endgeneration %}
    {%- else %}
        {{- m.content }}
    {%- endif %}
    {{- '\\n' }}
{%- endfor %}`;
  const tagged = new ChatTemplate(source, { tokens, specialTexts: [], isDefault: false });
  const messages = [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  const { text, spans } = tagged.renderWithSpans(messages);
  expect(text).toBe('<user>q\n<assistant>a<end>\n<assistant>b<end>\n');
  expect(text).toBe(tagged.render(messages));
  expect(spans.map(({ start, end }) => text.slice(start, end))).toEqual(['a<end>', 'b<end>']);
});

test('answers that are equal, empty, or part of one another are told apart', () => {
  const contents = ['a', 'a', '', 'aa', '<|im_start|', '\n', 'a'];
  const messages = contents.flatMap((content) => [
    { role: 'user', content: 'a' },
    { role: 'assistant', content },
  ]);
  const { text, spans } = template('chatml').renderWithSpans(messages);
  expect(spans.map(({ start, end }) => text.slice(start, end))).toEqual(contents.map((content) => `${content}<|im_end|>`));
});
