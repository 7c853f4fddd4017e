import { readFileSync } from 'node:fs';
import { expect, jest } from '@jest/globals';
import { openLlamaFolder, weightsSha256Of } from '@tunefleet/model-formats';
import { openGenerator } from '@tunefleet/models';
import { TextTokenizer } from '@tunefleet/tokenization';
import { skipUnless } from '../../../tools/jest/skip-unless.js';
import { modelPackage } from '../../../tools/model-packages.mjs';
import { smolLm2Folder } from '../../../tools/smollm2-folder.mjs';

const { path, missing } = modelPackage('smolLm2');
const ifThere = skipUnless(path !== undefined, missing);
jest.setTimeout(120_000); // the first to ask converts the file

interface Answer {
  messages: { role: string; content: string }[];
  prompt: string;
  prompt_ids: number[];
  answer_ids: number[];
}
const expected = JSON.parse(readFileSync(new URL('fixtures/smollm2.json', import.meta.url), 'utf8')) as {
  weights_sha256: string;
  tokens: number;
  answers: Answer[];
  encodings: { text: string; ids: number[] }[];
};

ifThere('SmolLM2-135M-Instruct has, bit for bit, the weights that transformers reads out of the same file', async () => {
  const { weights } = await openLlamaFolder(await smolLm2Folder());
  try {
    expect(await weightsSha256Of(weights)).toBe(expected.weights_sha256);
  } finally {
    await weights.close();
  }
});

ifThere('it encodes as llama.cpp does, digits and white space included', async () => {
  const tokenizer = await TextTokenizer.load(await smolLm2Folder());
  for (const { text, ids } of expected.encodings) expect([text, (await tokenizer.encode(text)).ids]).toEqual([text, ids]);
});

ifThere('its template speaks first for whoever does not, and its greedy answers are those of transformers', async () => {
  const folder = await smolLm2Folder();
  const tokenizer = await TextTokenizer.load(folder);
  const generator = await openGenerator({ base: folder, threads: 2 });
  try {
    for (const { messages, prompt, prompt_ids, answer_ids } of expected.answers) {
      const text = tokenizer.chatTemplate.render(messages, { addGenerationPrompt: true });
      expect(text).toBe(prompt);
      const { ids } = await tokenizer.encode(text);
      expect(ids).toEqual(prompt_ids);
      const end = tokenizer.specialTokens.eos!.id;
      const generation = generator.generate({ ids, max_tokens: expected.tokens, stop_ids: [end], temperature: 0, top_p: 1, seed: 0 });
      const answer: number[] = [];
      for await (const id of generation) answer.push(id);
      if (generation.finish_reason === 'stop') answer.push(end);
      expect(await tokenizer.decode(answer)).toBe(await tokenizer.decode(answer_ids));
      expect(answer).toEqual(answer_ids);
    }
    expect(expected.answers[0]?.prompt).toContain('You are a helpful AI assistant named SmolLM');
  } finally {
    await generator.close();
  }
});

ifThere('the end of a turn is trained on, the newline after it is not', async () => {
  const tokenizer = await TextTokenizer.load(await smolLm2Folder());
  const { text, spans } = tokenizer.chatTemplate.renderWithSpans([
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'Hello 42' },
  ]);
  const encoded = await tokenizer.encode(text);
  const owners = tokenizer.spanOfTokens(encoded, spans);
  const trained = encoded.ids.filter((_, at) => owners[at] === 0);
  expect(await tokenizer.decode(trained, { skipSpecialTokens: false })).toBe('Hello 42<|im_end|>');
  expect(text.endsWith('<|im_end|>\n')).toBe(true);
});
