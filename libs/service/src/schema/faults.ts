import { ApiError } from '@tunefleet/contracts';
import { type Fault, typeOf } from './check.js';

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

/** OpenAI's wording for a fault, with our code and the path as `param`. */
export function faultError({ code, path, expected, got }: Fault): ApiError {
  const param = path === '' ? null : path;
  const where = param === null ? 'the request body' : `'${param}'`;
  const message = {
    unknown_parameter: `Unknown parameter: ${where}.`,
    missing_required_parameter: `Missing required parameter: ${where}.`,
    invalid_type: `Invalid type for ${where}: expected ${expected}, but got ${typeOf(got)} instead.`,
    invalid_value: `Invalid value for ${where}: expected ${expected}${got === undefined ? '' : `, but got ${shown(got)} instead`}.`,
  }[code];
  return new ApiError(code, message, { param });
}
