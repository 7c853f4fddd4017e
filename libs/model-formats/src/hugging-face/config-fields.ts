import type { JsonObject, JsonValue } from '@tunefleet/strict-json';
import { ModelFormatError } from '../errors.js';

/** Checked reading of a `config.json`. Errors: `invalid_config`, naming the setting. */
export class Fields {
  constructor(private readonly config: JsonObject) {}

  natural(name: string, fallback?: number): number {
    const value = this.config[name] ?? fallback;
    // Far above any model, and small enough that products of two stay exact.
    if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 2 ** 26) return value;
    throw invalid(name, `must be an integer from 1 to 2^26, not ${JSON.stringify(value)}`);
  }

  positive(name: string, fallback: number): number {
    const value = this.config[name] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    throw invalid(name, `must be a number above 0, not ${JSON.stringify(value)}`);
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.config[name] ?? fallback;
    if (typeof value === 'boolean') return value;
    throw invalid(name, `must be true or false, not ${JSON.stringify(value)}`);
  }

  /** A probability below 1. */
  share(name: string, fallback: number): number {
    const value = this.config[name] ?? fallback;
    if (typeof value === 'number' && value >= 0 && value < 1) return value;
    throw invalid(name, `must be a number from 0 to below 1, not ${JSON.stringify(value)}`);
  }
}

export function invalid(name: string, message: string): ModelFormatError {
  return new ModelFormatError('invalid_config', `config.json: \`${name}\`: ${message}`);
}

export function unsupported(name: string, value: JsonValue): ModelFormatError {
  return new ModelFormatError('not_supported', `config.json: \`${name}\` = ${JSON.stringify(value)} is not supported`);
}
