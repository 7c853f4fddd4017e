export type { ChatMessage, ChatRow, Role } from './kinds/chat.js';
export type { CompletionRow } from './kinds/completion.js';
export type { KindName } from './kinds/kind.js';
export type { ToolCall, ToolDefinition } from './kinds/tools.js';
export type { Fault, FaultCode } from './rows/fault.js';
export { ROW_LIMITS } from './rows/limits.js';
export { type TrainingRow, trainingRows, type ValidationOptions, type ValidationReport, validate } from './validate.js';
