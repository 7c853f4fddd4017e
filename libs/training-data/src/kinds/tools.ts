import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import type { FaultCode, RowFault } from '../rows/fault.js';
import { nameOf } from '../rows/reader.js';

export interface ToolCall {
  id: string;
  type: 'function';
  /** `arguments` is JSON text, as OpenAI has it. */
  function: { name: string; arguments: string };
}

export interface ToolDefinition {
  type: 'function';
  function: { name: string; description?: string; parameters?: JsonObject; strict?: boolean | null };
}

/** OpenAI's bounds. */
const MAX_TOOLS = 128;
const FUNCTION_NAME = /^[a-zA-Z0-9_.-]{1,64}$/;

type Path = RowFault['path'];

export function checkTools(tools: JsonValue | undefined): RowFault | null {
  if (tools === undefined) return null;
  const wrong = (path: Path, message: string) => fault('invalid_value', ['tools', ...path], message);
  if (!Array.isArray(tools) || tools.length === 0 || tools.length > MAX_TOOLS)
    return wrong([], `\`tools\`: expected an array of 1 to ${MAX_TOOLS} tools`);
  for (const [index, tool] of tools.entries()) {
    const outer = checkFunction(tool, ['type', 'function'], ['name', 'description', 'parameters', 'strict'], (path, message) =>
      wrong([index, ...path], message),
    );
    if (outer) return outer;
    const { parameters, description } = (tool as { function: JsonObject }).function;
    if (parameters !== undefined && !isObject(parameters))
      return wrong([index, 'function', 'parameters'], `\`parameters\`: expected a JSON schema, found ${nameOf(parameters)}`);
    if (description !== undefined && typeof description !== 'string') {
      return wrong([index, 'function', 'description'], `\`description\`: expected text, found ${nameOf(description)}`);
    }
  }
  return null;
}

export function checkToolCalls(calls: JsonValue | undefined, path: Path): RowFault | null {
  if (calls === undefined) return null;
  const wrong = (below: Path, message: string) => fault('invalid_value', [...path, ...below], message);
  if (!Array.isArray(calls) || calls.length === 0) return wrong([], '`tool_calls`: expected an array of at least one call');
  for (const [index, call] of calls.entries()) {
    const outer = checkFunction(call, ['id', 'type', 'function'], ['name', 'arguments'], (below, message) =>
      wrong([index, ...below], message),
    );
    if (outer) return outer;
    const { id, function: called } = call as { id?: JsonValue; function: JsonObject };
    if (typeof id !== 'string' || id === '') return wrong([index, 'id'], `\`id\`: expected text, found ${nameOf(id)}`);
    if (!isJsonObjectText(called['arguments']))
      return wrong([index, 'function', 'arguments'], '`arguments`: expected the text of a JSON object');
  }
  return null;
}

/** What tools and calls share: `{type: "function", function: {name, ...}}`. */
function checkFunction(
  value: JsonValue,
  outer: readonly string[],
  inner: readonly string[],
  wrong: (path: Path, message: string) => RowFault,
): RowFault | null {
  if (!isObject(value)) return wrong([], `expected an object, found ${nameOf(value)}`);
  if (value['type'] !== 'function') return wrong(['type'], '`type`: expected "function"');
  const called = value['function'];
  if (!isObject(called)) return wrong(['function'], `\`function\`: expected an object, found ${nameOf(called)}`);
  const { name } = called;
  if (typeof name !== 'string' || !FUNCTION_NAME.test(name))
    return wrong(['function', 'name'], '`name`: expected 1 to 64 letters, digits, `_`, `.` or `-`');
  const stranger = Object.keys(value).find((key) => !outer.includes(key)) ?? Object.keys(called).find((key) => !inner.includes(key));
  if (stranger === undefined) return null;
  const path = Object.hasOwn(value, stranger) && !outer.includes(stranger) ? [stranger] : ['function', stranger];
  return { ...wrong(path, `there is no field \`${stranger.slice(0, 60)}\` here`), code: 'unknown_field' };
}

function isJsonObjectText(value: JsonValue | undefined): boolean {
  if (typeof value !== 'string') return false;
  try {
    return isObject(JSON.parse(value) as JsonValue);
  } catch {
    return false;
  }
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fault(code: FaultCode, path: Path, message: string): RowFault {
  return { code, path, message };
}
