import { expect, test } from '@jest/globals';
import { CHAT_REFUSED } from '@tunefleet/contracts';
import { refuseUnsupported } from '../src/domain/unsupported.js';

test('what is not built is refused by name, and passes where its value changes nothing', () => {
  expect(() =>
    refuseUnsupported({ n: 1, frequency_penalty: 0, response_format: { type: 'text' }, logit_bias: null }, CHAT_REFUSED),
  ).not.toThrow();
  for (const [param, value] of [
    ['n', 2],
    ['frequency_penalty', 0.5],
    ['response_format', { type: 'json_object' }],
    ['logit_bias', { 5: 1 }],
  ] as const) {
    expect(() => refuseUnsupported({ [param]: value }, CHAT_REFUSED)).toThrow(expect.objectContaining({ code: 'not_supported', param }));
  }
});
