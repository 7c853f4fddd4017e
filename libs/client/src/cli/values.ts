import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { usage } from './failure.js';

export function wholeNumber(text: string): number {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number is expected.');
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new InvalidArgumentError('a number is expected.');
}

/** `auto` or a number, as OpenAI's hyperparameters are. */
export const numberOrAuto = (text: string): number | 'auto' => (text === 'auto' ? text : number(text));

/** `--metadata key=value`, again for more. */
export function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('key=value is expected.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type Body = { [key: string]: Json };

const parsed = (text: string): Json => {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
};

/** `--set tunefleet.adapter.rank=16`, again for more: the value is JSON, or else a string. Returns [path, value] pairs. */
export function setting(text: string, before: [string[], Json][] = []): [string[], Json][] {
  const at = text.indexOf('=');
  const path = text.slice(0, at).split('.');
  if (at < 1 || path.some((key) => key === '' || key === '__proto__')) throw new InvalidArgumentError('path.to.field=value is expected.');
  return [...before, [path, parsed(text.slice(at + 1))]];
}

/** `body` with a value put at a path; objects on the way are made. */
export function put(body: Body, [key = '', ...rest]: string[], value: Json): Body {
  if (rest.length === 0) return { ...body, [key]: value };
  const inner = body[key];
  const below = inner !== null && typeof inner === 'object' && !Array.isArray(inner) ? inner : {};
  return { ...body, [key]: put(below, rest, value) };
}

/** A JSON object from a file, or from stdin for `-`. */
export function readBody(path: string): Body {
  const text = readFileSync(path === '-' ? 0 : path, 'utf8');
  const value = parsed(text);
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  throw usage(`${path} holds no JSON object`, 'give a file with the body of the request');
}

/** Only what was given. */
export const given = (values: Record<string, Json | undefined>): Body =>
  Object.fromEntries(Object.entries(values).filter((entry): entry is [string, Json] => entry[1] !== undefined));
