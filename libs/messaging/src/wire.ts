import { ApiError, isErrorCode, type RpcMethod, rpc } from '@tunefleet/contracts';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

type Check = (value: unknown) => void;

function checker(schema: TSchema, what: string): Check {
  const validator = Compile(schema);
  return (value) => {
    if (validator.Check(value)) return;
    const [first] = validator.Errors(value);
    throw new ApiError('internal_error', `${what}${first ? `${first.instancePath}: ${first.message}` : ' does not match its schema'}`);
  };
}

const compiled = new Map<RpcMethod, { request: Check; reply: Check }>();

/** Validators of a method's bodies, compiled at first use. They throw `internal_error` and name the path. */
export function checksOf(method: RpcMethod): { request: Check; reply: Check } {
  let checks = compiled.get(method);
  if (!checks) {
    const { request, reply } = rpc[method];
    checks = { request: checker(request, `Request ${method} `), reply: checker(reply, `Reply of ${method} `) };
    compiled.set(method, checks);
  }
  return checks;
}

export interface WireError {
  code: string;
  message: string;
  param: string | null;
  detail?: unknown;
}
export type Answer = { ok: unknown } | { error: WireError };

export function toWireError(error: unknown): WireError {
  if (!(error instanceof ApiError)) return { code: 'internal_error', message: 'The service failed to answer.', param: null };
  const { code, message, param, detail } = error;
  return { code, message, param, ...(detail === undefined ? {} : { detail }) };
}

export const fromWireError = ({ code, message, param, detail }: WireError): ApiError =>
  new ApiError(isErrorCode(code) ? code : 'internal_error', message, { param, detail });
