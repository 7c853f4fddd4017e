import { isDeepStrictEqual } from 'node:util';
import { ApiError } from '@tunefleet/contracts';

/** Refuse by name each known field that is not built, unless its value is null or the one that changes nothing. */
export function refuseUnsupported(body: Record<string, unknown>, neutral: Record<string, unknown>): void {
  for (const [param, harmless] of Object.entries(neutral)) {
    const value = body[param];
    if (value === undefined || value === null || isDeepStrictEqual(value, harmless)) continue;
    throw new ApiError('not_supported', `'${param}' is not supported yet; leave it out.`, { param });
  }
}
