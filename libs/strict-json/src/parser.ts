export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

export type JsonErrorCode = 'syntax' | 'duplicate_key' | 'too_deep' | 'lone_surrogate';

/** What is wrong, and where: `offset` counts UTF-16 code units from the start of the text. */
export class JsonError extends Error {
  constructor(
    readonly code: JsonErrorCode,
    readonly offset: number,
    message: string,
  ) {
    super(message);
    this.name = 'JsonError';
  }
}

export interface JsonLimits {
  /** Arrays and objects that may be open at once. */
  maxDepth: number;
}

/** Keys and indexes from the outermost value inwards. */
export type JsonPath = readonly (string | number)[];

const SPACE = /[ \t\n\r]*/y;
/** Everything but control characters, the double quote and the backslash. */
const PLAIN_STRING = /[ !#-[\]-\uffff]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z]+/y;
const HEX4 = /[0-9A-Fa-f]{4}/y;
const ESCAPES: Record<string, string> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * JSON as RFC 8259 has it, and stricter than `JSON.parse` where that hides what a file says: a key given twice is an error, depth is bounded
 * before it can cost anything, an escaped half of a surrogate pair is an error, and `__proto__` is a key like any other (an own property).
 * Throws {@link JsonError}.
 */
export function parseStrictJson(text: string, limits: JsonLimits): JsonValue {
  return new Parser(text, limits.maxDepth).document();
}

/**
 * Where the value at `path` begins in a text that parses, for messages about it; an absent last key gives where its object begins.
 * Counts UTF-16 code units.
 */
export function locateInJson(text: string, path: JsonPath, limits: JsonLimits): number {
  let best = 0;
  let reached = -1;
  const visit = (trail: JsonPath, offset: number) => {
    if (trail.length > reached && trail.length <= path.length && trail.every((step, index) => step === path[index])) {
      best = offset;
      reached = trail.length;
    }
  };
  new Parser(text, limits.maxDepth, visit).document();
  return best;
}

class Parser {
  private at = 0;
  private depth = 0;
  private readonly trail: (string | number)[] = [];

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
    private readonly visit?: (trail: JsonPath, offset: number) => void,
  ) {}

  document(): JsonValue {
    this.space();
    const value = this.value();
    this.space();
    if (this.at < this.text.length) this.unexpected('the end of the text');
    return value;
  }

  private child(step: string | number): JsonValue {
    if (!this.visit) return this.value();
    this.trail.push(step);
    const value = this.value();
    this.trail.pop();
    return value;
  }

  private value(): JsonValue {
    this.visit?.(this.trail, this.at);
    switch (this.text.charCodeAt(this.at)) {
      case 0x7b:
        return this.object();
      case 0x5b:
        return this.array();
      case 0x22:
        return this.string();
      default:
        return this.scalar();
    }
  }

  private object(): JsonObject {
    const result: JsonObject = {};
    this.open();
    if (this.taken('}')) return this.close(result);
    for (;;) {
      const keyAt = this.at;
      if (this.text[this.at] !== '"') this.unexpected('a key in double quotes');
      const key = this.string();
      if (Object.hasOwn(result, key))
        throw new JsonError('duplicate_key', keyAt, `the key ${JSON.stringify(shortened(key))} is given twice`);
      this.space();
      if (!this.taken(':')) this.unexpected('`:` after a key');
      this.space();
      define(result, key, this.child(key));
      this.space();
      if (this.taken('}')) return this.close(result);
      if (!this.taken(',')) this.unexpected('`,` or `}` after a value');
      this.space();
    }
  }

  private array(): JsonValue[] {
    const result: JsonValue[] = [];
    this.open();
    if (this.taken(']')) return this.close(result);
    for (;;) {
      result.push(this.child(result.length));
      this.space();
      if (this.taken(']')) return this.close(result);
      if (!this.taken(',')) this.unexpected('`,` or `]` after a value');
      this.space();
    }
  }

  private open(): void {
    this.depth += 1;
    if (this.depth > this.maxDepth) throw new JsonError('too_deep', this.at, `nested deeper than ${this.maxDepth} levels`);
    this.at += 1;
    this.space();
  }

  private close<T>(result: T): T {
    this.depth -= 1;
    return result;
  }

  private string(): string {
    const start = this.at;
    this.at += 1;
    let escaped = false;
    let result = this.run(PLAIN_STRING);
    for (;;) {
      const character = this.text[this.at];
      if (character === '"') break;
      if (character === undefined) throw new JsonError('syntax', start, 'expected the closing double quote of this string');
      if (character !== '\\') throw new JsonError('syntax', this.at, 'a control character in a string must be escaped');
      escaped = true;
      result += this.escape();
      result += this.run(PLAIN_STRING);
    }
    this.at += 1;
    if (escaped && LONE_SURROGATE.test(result)) {
      throw new JsonError('lone_surrogate', start, 'an escape such as \\ud83d is half of a surrogate pair: there is no such character');
    }
    return result;
  }

  private escape(): string {
    const kind = this.text[this.at + 1] ?? '';
    if (kind === 'u') {
      this.at += 2;
      const hex = this.run(HEX4);
      if (hex === '') this.unexpected('four hexadecimal digits after \\u');
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const character = ESCAPES[kind];
    if (character === undefined) throw new JsonError('syntax', this.at, 'expected one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX');
    this.at += 2;
    return character;
  }

  private scalar(): number | boolean | null {
    const start = this.at;
    const number = this.run(NUMBER);
    if (number !== '') return Number(number);
    const word = this.run(WORD);
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (word === 'null') return null;
    this.at = start;
    return this.unexpected('a JSON value');
  }

  private run(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const matched = pattern.exec(this.text)?.[0] ?? '';
    this.at += matched.length;
    return matched;
  }

  private space(): void {
    if (this.text.charCodeAt(this.at) <= 0x20) this.run(SPACE);
  }

  private taken(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private unexpected(expected: string): never {
    const found =
      this.at < this.text.length ? JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.at)!)) : 'the end of the text';
    throw new JsonError('syntax', this.at, `expected ${expected}, found ${found}`);
  }
}

/** `object.__proto__ = value` would set the prototype. */
function define(object: JsonObject, key: string, value: JsonValue): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

function shortened(key: string): string {
  return key.length > 60 ? `${key.slice(0, 60)}...` : key;
}
