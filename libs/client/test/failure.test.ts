import { expect, test } from '@jest/globals';
import OpenAI from 'openai';
import { asFailure, CommandFailure, usage } from '../src/cli/failure.js';

const apiError = (status: number, error: object): Error => OpenAI.APIError.generate(status, { error }, undefined, new Headers());
const URL_ = 'http://127.0.0.1:8080';

test('a refusal is told with message, code, param and what to do', () => {
  const failure = asFailure(apiError(404, { message: 'No such file.', code: 'file_not_found', param: 'training_file' }), URL_);
  expect(failure.exit).toBe(1);
  expect(failure.toText()).toBe(
    'tunefleet: No such file. (file_not_found, training_file)\n  next: `npx tunefleet files list` shows the files of this project\n',
  );
  expect(failure.toJson()).toEqual({
    error: { code: 'file_not_found', message: 'No such file.', param: 'training_file', next: expect.any(String) },
  });
});

test("a gate's figures are handed on", () => {
  const tunefleet = { rules: [{ eval: 'eval_1', passed: false }] };
  expect(asFailure(apiError(400, { message: 'no', code: 'gate_not_passed', param: 'model', tunefleet }), URL_).toJson()).toMatchObject({
    error: { tunefleet },
  });
});

test('a fleet that is not there is named with what to do', () => {
  const failure = asFailure(new OpenAI.APIConnectionError({ cause: new Error('ECONNREFUSED') }), URL_);
  expect(failure.toText()).toContain(`no fleet answers at ${URL_} (connection)\n  next: start it with \`npm start\``);
});

test('used wrongly is 2, anything else 1', () => {
  expect(usage('x', 'y').exit).toBe(2);
  expect(asFailure(Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' }), URL_).exit).toBe(2);
  expect(asFailure(new Error('boom'), URL_)).toMatchObject({ code: 'client_error', exit: 1 });
  expect(asFailure('boom', URL_)).toBeInstanceOf(CommandFailure);
});
