export {
  JsonError,
  type JsonErrorCode,
  type JsonLimits,
  type JsonObject,
  type JsonPath,
  type JsonValue,
  locateInJson,
  parseStrictJson,
} from './parser.js';
