import { type Static, Type } from 'typebox';
import { systemClock } from '../../lib/clock.ts';
import { parseTime } from '../../lib/parse-time.ts';
import { isId } from '../../message/id.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor, Page, pageLimit, pageQuery } from '../page.ts';
import { type MessageSearch, searchMessages } from '../reading/search-messages.ts';
import { showMessages } from '../reading/show-messages.ts';
import { badQuery, MessageAnswer } from './message-fields.ts';

const Query = Type.Object(
  {
    ...pageQuery,
    to: Type.Optional(Type.String({ minLength: 1, description: 'the recipient; a `+` need not be encoded' })),
    ref: Type.Optional(Type.String({ minLength: 1, description: "the sender's own reference" })),
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
        summary: 'Messages by recipient or reference, newest first',
        description: 'A page may hold fewer than `limit` messages and still have a `next`.',
        tags: ['messages'],
        querystring: Query,
        response: { 200: Page(MessageAnswer) },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        const { database, control } = context;
        const search = { ...readQuery(request.query), accountId };
        const { found, next } = await searchMessages({ database, clock: systemClock }, search);
        return { data: await showMessages(found, { database, control, accountId }), next };
      }),
  );
}

function readQuery(query: Static<typeof Query>): Omit<MessageSearch, 'accountId'> {
  const { to, ref, after, since, until } = query;
  if ((to === undefined) === (ref === undefined)) throw badQuery('to', 'give either `to` or `ref`');
  if (after !== undefined && !isId(after)) throw badCursor();
  return {
    // No recipient holds a space, so a space is a plus that was not encoded.
    ...(to !== undefined
      ? { kind: 'to' as const, value: to.replaceAll(' ', '+') }
      : { kind: 'ref' as const, value: ref! }),
    sinceMs: readTime('since', since),
    untilMs: readTime('until', until),
    after,
    limit: pageLimit(query),
  };
}

/** Here too a plus, of a time zone, may arrive as a space. */
function readTime(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = parseTime(text.replace(' ', '+'));
  if (!time) throw badQuery(name, 'must be a time such as 2026-01-02T03:04:05Z');
  return time.getTime();
}
