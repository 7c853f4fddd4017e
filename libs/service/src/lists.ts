import { Nullable } from '@tunefleet/contracts';
import { type TSchema, Type } from 'typebox';

export interface List<T> {
  object: 'list';
  data: T[];
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
}

/** OpenAI's list. Give either whether more follow, or `limit` with up to `limit + 1` items, the last of which only proves that more follow. */
export function listOf<T>(items: readonly T[], page: { has_more: boolean } | { limit: number }): List<T> {
  const more = 'limit' in page ? items.length > page.limit : page.has_more;
  const data = 'limit' in page ? items.slice(0, page.limit) : [...items];
  const idOf = (item: T | undefined) => (item as { id?: string } | undefined)?.id ?? null;
  return { object: 'list', data, has_more: more, first_id: idOf(data[0]), last_id: idOf(data.at(-1)) };
}

/** The response schema of such a list. */
export const ListSchema = <T extends TSchema>(item: T) =>
  Type.Object({
    object: Type.Literal('list'),
    data: Type.Array(item),
    has_more: Type.Boolean(),
    first_id: Nullable(Type.String()),
    last_id: Nullable(Type.String()),
  });
