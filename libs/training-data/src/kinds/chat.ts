import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import type { RowFault } from '../rows/fault.js';
import { ROW_LIMITS } from '../rows/limits.js';
import { nameOf } from '../rows/reader.js';
import type { RowKind } from './kind.js';
import { checkToolCalls, checkTools, type ToolCall, type ToolDefinition } from './tools.js';
import { unknownField } from './unknown-field.js';

export const ROLES = ['system', 'developer', 'user', 'assistant', 'tool'] as const;
export type Role = (typeof ROLES)[number];

/** A message as OpenAI's fine-tuning files have it. */
export interface ChatMessage {
  role: Role;
  /** Null or absent only beside `tool_calls`. */
  content?: string | null;
  name?: string;
  tool_calls?: ToolCall[];
  tool_call_id?: string;
  /** 0: an assistant's message that is not trained on. */
  weight?: 0 | 1;
}

/** `{"messages": [...], "tools"?: [...], "parallel_tool_calls"?: boolean}` */
export interface ChatRow {
  messages: ChatMessage[];
  tools?: ToolDefinition[];
  parallel_tool_calls?: boolean;
}

const ROW_FIELDS = ['messages', 'tools', 'parallel_tool_calls'];
const MESSAGE_FIELDS: Record<Role, readonly string[]> = {
  system: ['role', 'content', 'name'],
  developer: ['role', 'content', 'name'],
  user: ['role', 'content', 'name'],
  assistant: ['role', 'content', 'name', 'tool_calls', 'weight'],
  tool: ['role', 'content', 'tool_call_id', 'name'],
};
/** OpenAI's rule for `name`. */
const NAME = /^[a-zA-Z0-9_-]{1,64}$/;

export const chat: RowKind<'chat'> = {
  name: 'chat',
  claims: (row) => Object.hasOwn(row, 'messages'),
  check,
};

function check(row: JsonObject): RowFault | null {
  const unknown = unknownField(row, ROW_FIELDS, [], 'a chat row');
  if (unknown) return unknown;
  const { messages } = row;
  if (!Array.isArray(messages) || messages.length === 0) {
    return {
      code: 'missing_messages',
      path: ['messages'],
      message: `\`messages\`: expected an array of messages, found ${Array.isArray(messages) ? 'none' : nameOf(messages)}`,
    };
  }
  if (messages.length > ROW_LIMITS.maxMessages) {
    return {
      code: 'too_many_messages',
      path: ['messages'],
      message: `${messages.length} messages; at most ${ROW_LIMITS.maxMessages} are allowed`,
    };
  }
  for (const [index, message] of messages.entries()) {
    const fault = checkMessage(message, ['messages', index]);
    if (fault) return fault;
  }
  if (!messages.some(isTrained)) {
    return {
      code: 'missing_assistant',
      path: ['messages'],
      message: 'expected a message of role `assistant` with weight 1 to learn from, found none',
    };
  }
  return checkTools(row['tools']) ?? checkParallel(row['parallel_tool_calls']);
}

function isTrained(message: JsonValue): boolean {
  const { role, weight } = message as JsonObject;
  return role === 'assistant' && weight !== 0;
}

function checkMessage(message: JsonValue, path: RowFault['path']): RowFault | null {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    return { code: 'invalid_row', path, message: `expected a message, found ${nameOf(message)}` };
  }
  const { role } = message;
  if (typeof role !== 'string' || !(ROLES as readonly string[]).includes(role)) {
    const found = typeof role === 'string' ? JSON.stringify(role.slice(0, 60)) : nameOf(role);
    return { code: 'invalid_role', path: [...path, 'role'], message: `\`role\`: expected one of ${ROLES.join(', ')}, found ${found}` };
  }
  const weight = checkWeight(message, role, path);
  if (weight) return weight;
  return (
    unknownField(message, MESSAGE_FIELDS[role as Role], path, `a message of role ${role}`) ??
    checkToolCalls(message['tool_calls'], [...path, 'tool_calls']) ??
    checkContent(message, path) ??
    checkNames(message, role, path)
  );
}

function checkWeight(message: JsonObject, role: string, path: RowFault['path']): RowFault | null {
  if (!Object.hasOwn(message, 'weight')) return null;
  if (role !== 'assistant')
    return {
      code: 'invalid_value',
      path: [...path, 'weight'],
      message: `\`weight\` belongs to messages of role assistant, found on ${role}`,
    };
  if (message['weight'] === 0 || message['weight'] === 1) return null;
  return { code: 'invalid_value', path: [...path, 'weight'], message: `\`weight\`: expected 0 or 1, found ${nameOf(message['weight'])}` };
}

function checkContent(message: JsonObject, path: RowFault['path']): RowFault | null {
  const { content, tool_calls: calls } = message;
  if (typeof content === 'string') return null;
  if ((content === undefined || content === null) && calls !== undefined) return null;
  return { code: 'invalid_content', path: [...path, 'content'], message: `\`content\`: expected text, found ${nameOf(content)}` };
}

function checkNames(message: JsonObject, role: string, path: RowFault['path']): RowFault | null {
  const { name, tool_call_id: id } = message;
  if (name !== undefined && (typeof name !== 'string' || !NAME.test(name))) {
    return { code: 'invalid_value', path: [...path, 'name'], message: '`name`: expected 1 to 64 letters, digits, `_` or `-`' };
  }
  if (role === 'tool' && (typeof id !== 'string' || id === '')) {
    return {
      code: 'invalid_value',
      path: [...path, 'tool_call_id'],
      message: `\`tool_call_id\`: expected the id of a tool call, found ${nameOf(id)}`,
    };
  }
  return null;
}

function checkParallel(value: JsonValue | undefined): RowFault | null {
  if (value === undefined || typeof value === 'boolean') return null;
  return {
    code: 'invalid_value',
    path: ['parallel_tool_calls'],
    message: `\`parallel_tool_calls\`: expected true or false, found ${nameOf(value)}`,
  };
}
