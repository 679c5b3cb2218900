import { Type } from 'typebox';
import { systemClock } from '../../lib/clock.ts';
import { callbackRouteName } from '../../message/webhook.ts';
import { feedCursor, parseFeedCursor } from '../../store/reading/feed-cursor.ts';
import { feedStart } from '../../store/reading/feed-place.ts';
import { feedHorizon } from '../../store/reading/read-events.ts';
import { settleFeed } from '../../store/reading/settle-feed.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor } from '../page.ts';
import { readingContext } from '../read-target.ts';
import { feedPage } from '../reading/feed-page.ts';
import { feedSource } from '../reading/feed-source.ts';
import { pacedSettle } from '../reading/paced-settle.ts';
import { StateName } from './message-fields.ts';

const limitDefault = 100;
const limitMax = 1_000;

const Event = Type.Object({
  id: Type.String({ description: 'the same whenever the event is read' }),
  at: Type.String({ format: 'date-time' }),
  type: Type.Union([Type.Literal('message'), Type.Literal('batch')]),
  messageId: Type.Optional(Type.String()),
  batchId: Type.Union([Type.String(), Type.Null()]),
  state: Type.Union([
    StateName,
    Type.Literal('open'),
    Type.Literal('delivering'),
    Type.Literal('paused'),
    Type.Literal('done'),
  ]),
  attempt: Type.Optional(Type.Integer()),
  providerRef: Type.Optional(Type.String()),
  error: Type.Optional(
    Type.Object({ code: Type.String(), detail: Type.Union([Type.String(), Type.Null()]) }),
  ),
});

/** The change feed of an account: pages that never skip a change, nor repeat one but after a failover or a restore. */
export function listEvents(app: ApiInstance, context: ApiContext): void {
  const { database: primary } = context;
  const settle = pacedSettle({ settle: () => settleFeed(primary), clock: systemClock });
  app.get(
    '/v1/events',
    {
      config: { scope: 'read', errors: ['cursor_outdated'] },
      schema: {
        summary: 'Every change of state of the messages and batches of the account, in order of commit',
        description:
          'What a message or a batch begins with is not told: `queued` comes only with a replay, `open` only when a batch is resumed before it is closed. `sending` is told on routes with `onUncertain: hold`; where a route resends it is not recorded. ' +
          'The state of a batch is the one that `GET /v1/batches/{id}` shows from then on: one that is canceled is told as that, and not as `done` later. ' +
          'Without `after` it begins with the oldest that is kept; `after=now` begins with this moment, and may hold the changes of transactions that were open in it. `next` is ' +
          'never null: a page may be empty, and the next call with it goes on from there. What a transaction writes that is ' +
          'still open comes after it has ended, so nothing is ever inserted behind a place. A `next` holds over failovers of the ' +
          'database, and when it is dumped and restored elsewhere: the changes of up to some ten seconds before may come again then, each with the ' +
          '`id` that it had; more, up to all that are kept, if servers wrote to the restored database before they saw that it is another, or with a `next` of another database. 410 `cursor_outdated` tells of a `next` that the database knows nothing of, because it was restored to ' +
          'an earlier time: read again without `after`, and pass over the ids that you have.',
        tags: ['events'],
        querystring: Type.Object(
          {
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limitMax, default: limitDefault })),
            after: Type.Optional(
              Type.String({ maxLength: 100, description: '`next` of the page before, or `now`' }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: Type.Object({ data: Type.Array(Event), next: Type.String() }) },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { accountId } = request.caller;
        const { after, limit = limitDefault } = request.query;
        // The primary's moment: a replica's is an earlier one.
        if (after === 'now') return { data: [], next: feedCursor(await feedHorizon(primary)) };
        const place = after === undefined ? feedStart : parseFeedCursor(after);
        if (place === undefined) throw badCursor();
        // The horizon and the rows below it are read in one place: the primary's horizon would pass over what a
        // replica does not have yet.
        const { database: chosen } = await readingContext(context, request);
        const { database, after: found } = await feedSource(place, { chosen, primary, settle });
        // What webhooks were told of is no change that somebody must be told of.
        const exceptRoute = context.control.routeByName(callbackRouteName)?.id;
        const page = { accountId, after: found, limit, exceptRoute };
        const { events, next } = await feedPage(database, page);
        return { data: events, next: feedCursor(next) };
      }),
  );
}
