import { type TSchema, Type } from 'typebox';
import { ProblemError } from '../message/error-codes.ts';

const pageDefault = 50;
const pageMax = 200;

/** The query of every list: `after` is the `next` of the page before. */
export const pageQuery = {
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: pageMax, default: pageDefault, description: 'items at most' }),
  ),
  after: Type.Optional(Type.String({ maxLength: 300, description: '`next` of the page before' })),
};

export function Page<Item extends TSchema>(item: Item) {
  return Type.Object({
    data: Type.Array(item),
    next: Type.Union([Type.String(), Type.Null()], { description: 'null on the last page' }),
  });
}

export function pageLimit(query: { limit?: number }): number {
  return query.limit ?? pageDefault;
}

/** From one item more than the page holds: whether there is a next page, and from where. */
export function pageOf<Item, Shown>(
  items: readonly Item[],
  settings: { limit: number; cursor: (item: Item) => string; show: (item: Item) => Shown },
): { data: Shown[]; next: string | null } {
  const shown = items.slice(0, settings.limit);
  const last = shown.at(-1);
  return {
    data: shown.map(settings.show),
    next: items.length > settings.limit && last !== undefined ? settings.cursor(last) : null,
  };
}

export function badCursor(): ProblemError {
  return new ProblemError('validation_failed', 'query /after: send the `next` of a page, as it was', {
    errors: [{ pointer: '/after', code: 'invalid_value', detail: 'is not the `next` of a page' }],
  });
}
