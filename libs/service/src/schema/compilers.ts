import { ApiError } from '@tunefleet/contracts';
import type { FastifySchemaCompiler } from 'fastify';
import { checkSchema } from './check.js';
import { closeSchema, supportedSchema } from './close.js';
import { convertQuery } from './convert.js';
import { faultError } from './faults.js';

/** Bodies: closed at every level, nothing coerced, nothing removed. Query strings: text becomes numbers, defaults are filled in. */
export const validatorCompiler: FastifySchemaCompiler<object> = ({ schema, httpPart }) => {
  const checked = httpPart === 'body' ? closeSchema(schema) : supportedSchema(schema);
  return (data: unknown) => {
    const value = httpPart === 'querystring' ? convertQuery(checked, data as Record<string, unknown>) : data;
    const fault = checkSchema(checked, value);
    return fault ? { error: faultError(fault) } : { value };
  };
};

/**
 * Answers leave as they are: fast-json-stringify would drop undeclared fields in silence. With `check` (tests) an answer that its schema does
 * not describe to the last field is an internal error that names the field.
 */
export const serializerCompiler =
  (check: boolean) =>
  ({ schema }: { schema: unknown }) => {
    if (!check) return (data: unknown) => JSON.stringify(data);
    const closed = closeSchema(schema as object);
    return (data: unknown) => {
      const text = JSON.stringify(data);
      const fault = checkSchema(closed, text === undefined ? undefined : JSON.parse(text));
      if (fault)
        throw new ApiError('internal_error', `answer does not match its schema: ${fault.path}: ${fault.code}, expected ${fault.expected}`);
      return text;
    };
  };
