import { type Static, Type } from 'typebox';
import { defaultCountry } from '../../intake/default-country.ts';
import { systemClock } from '../../lib/clock.ts';
import { parseTime } from '../../lib/parse-time.ts';
import { isId } from '../../message/id.ts';
import type { PhoneCountry } from '../../message/phone-number.ts';
import type { Queryable } from '../../store/database.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { keptForm } from '../kept-form.ts';
import { badCursor, Page, pageLimit, pageQuery } from '../page.ts';
import { readingContext } from '../read-target.ts';
import { type FoundSingles, listSingles, singleStates } from '../reading/list-singles.ts';
import { type SearchResult, searchMessages } from '../reading/search-messages.ts';
import { showMessages } from '../reading/show-messages.ts';
import { badQuery, MessageAnswer } from './message-fields.ts';

const Query = Type.Object(
  {
    ...pageQuery,
    to: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'the recipient; a telephone number also as people write it. A `+` need not be encoded',
      }),
    ),
    ref: Type.Optional(Type.String({ minLength: 1, description: "the sender's own reference" })),
    state: Type.Optional(
      Type.Enum([...singleStates], {
        description:
          'of messages that were sent singly; those of a batch, and by every state, are listed by `/v1/batches/{id}/messages`',
      }),
    ),
    since: Type.Optional(Type.String({ description: 'created at this time (RFC 3339) or later' })),
    until: Type.Optional(Type.String({ description: 'created before this time (RFC 3339)' })),
  },
  { additionalProperties: false },
);

export function findMessages(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/messages',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Messages by recipient, by reference or by state, newest first',
        description: 'A page may hold fewer than `limit` messages and still have a `next`.',
        tags: ['messages'],
        querystring: Query,
        response: { 200: Page(MessageAnswer) },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        const { database, control } = await readingContext(context, request);
        const { found, next, outcomes } = await find(database, {
          accountId,
          country: defaultCountry(control, accountId),
          query: request.query,
        });
        const data = await showMessages(found, {
          database,
          control,
          accountId,
          ...(outcomes && { outcomes }),
        });
        return { data, next };
      }),
  );
}
interface Found extends SearchResult {
  /** Where they were read on the way. */
  outcomes?: FoundSingles['outcomes'];
}

function find(
  database: Queryable,
  {
    accountId,
    country,
    query,
  }: { accountId: number; country: PhoneCountry | undefined; query: Static<typeof Query> },
): Promise<Found> {
  const { to, ref, state, after, since, until } = query;
  if ([to, ref, state].filter((value) => value !== undefined).length !== 1) {
    throw badQuery('to', 'give one of `to`, `ref` and `state`');
  }
  if (after !== undefined && !isId(after)) throw badCursor();
  const sinceMs = readTime('since', since);
  const untilMs = readTime('until', until);
  const page = { accountId, sinceMs, untilMs, after, limit: pageLimit(query) };
  if (state !== undefined) return listSingles(database, { ...page, state });
  const search =
    to === undefined
      ? ({ kind: 'ref', value: ref! } as const)
      : ({ kind: 'to', value: keptForm(to, country) } as const);
  return searchMessages({ database, clock: systemClock }, { ...page, ...search });
}

/** A plus, of a time zone, may arrive as a space. */
function readTime(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = parseTime(text.replace(' ', '+'));
  if (!time) throw badQuery(name, 'must be a time such as 2026-01-02T03:04:05Z');
  return time.getTime();
}
