import { ApiError, LIMITS } from '@tunefleet/contracts';
import { type List, listOf } from '@tunefleet/service';
import { Type } from 'typebox';

/** Query of a list that lies within one job. */
export const pageQuery = (limit: number) =>
  Type.Object(
    { after: Type.Optional(Type.String()), limit: Type.Integer({ minimum: 1, maximum: LIMITS.listMax, default: limit }) },
    { additionalProperties: false },
  );

/** The page behind `after` of items in the order in which they are listed. Throws `invalid_value` for an unknown `after`. */
export function pageOf<T extends { id: string }>(items: readonly T[], { after, limit }: { after?: string; limit: number }): List<T> {
  const before = after === undefined ? -1 : items.findIndex(({ id }) => id === after);
  if (after !== undefined && before < 0)
    throw new ApiError('invalid_value', `There is no object '${after}' to list after.`, { param: 'after' });
  return listOf(items.slice(before + 1, before + 2 + limit), { limit });
}
