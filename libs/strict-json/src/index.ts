export { JsonError, type JsonErrorCode, type JsonLimits, type JsonObject, type JsonValue, parseStrictJson } from './parser.js';
