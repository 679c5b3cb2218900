import { Type } from 'typebox';
import { allows } from '../../message/api-key.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { badCursor, Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { inOrder, showLanes } from '../reading/show-lanes.ts';

const nullable = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);

const Lane = Type.Object({
  accountId: Type.String(),
  route: Type.String(),
  priority: Type.Enum(['interactive', 'bulk']),
  queued: Type.Integer({ description: 'messages that have not come to their end' }),
  aside: Type.Integer({
    description: 'of those, the ones that workers have found to wait for a limit of `destinations`',
  }),
  held: Type.Integer({
    description:
      'of the queued ones, those of batches that are paused, or whose window is closed by a time zone that it names; what waits for the time zone of its recipient is not among them',
  }),
  oldestDueAt: nullable(
    Type.String({
      description:
        'since when the oldest is due, a retry since its wait is over, also where a pause or a closed window keeps it; null when none is due',
    }),
  ),
  sentPerSecond: Type.Number({ description: 'messages handed to the provider, over the last second' }),
  ratePerSecond: nullable(Type.Number({ description: 'what the route may send now; null for no limit' })),
  accountRatePerSecond: nullable(
    Type.Number({ description: 'what the account may send over all its routes; null for no limit' }),
  ),
  concurrency: Type.Integer({ description: 'requests at once that the account may have on the route now' }),
  share: Type.Number({
    description: 'of the route, by weight, while all of this priority that wait want it',
  }),
  breaker: nullable(
    Type.String({ description: 'the worst over the workers; null where the route has none' }),
  ),
  lastError: nullable(
    Type.Object(
      { code: Type.String(), at: Type.String({ format: 'date-time' }) },
      {
        description:
          'what last kept a message of the lane from being sent, or the provider from all; null while nothing did',
      },
    ),
  ),
  paused: Type.Boolean(),
  opensAt: nullable(
    Type.String({
      format: 'date-time',
      description:
        'while the window of the route is closed: when it opens; null where that differs by recipient',
    }),
  ),
});

export function listLanes(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/lanes',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'What waits and how it flows, by account, route and priority',
        description:
          'Over all workers. An administrator sees every lane, others their account’s. The first look takes two seconds: ' +
          'workers tell only while somebody looks.',
        tags: ['server'],
        querystring: Type.Object(
          { ...pageQuery, route: Type.Optional(Type.String({ description: 'this route’s lanes alone' })) },
          { additionalProperties: false },
        ),
        response: { 200: Page(Lane) },
      },
    },
    async (request) => {
      const { query, caller } = request;
      const after = query.after === undefined ? undefined : readCursor(query.after);
      const accountId = caller.actsFor ?? (allows(caller.scopes, 'admin') ? null : caller.accountId);
      const lanes = await app.sharedReads.run(request, () => showLanes(context, accountId));
      const wanted = lanes.filter(
        (lane) =>
          (query.route === undefined || lane.route === query.route) &&
          (after === undefined || inOrder(lane, after) > 0),
      );
      const cursor = ({ route, accountId: account, priority }: (typeof lanes)[number]) =>
        `${route}:${account}:${priority}`;
      return pageOf(wanted.slice(0, pageLimit(query) + 1), {
        limit: pageLimit(query),
        cursor,
        show: (lane) => lane,
      });
    },
  );
}

function readCursor(text: string) {
  const [, route, accountId, priority] = /^([a-z0-9._-]+):(\d{1,10}):(interactive|bulk)$/.exec(text) ?? [];
  if (route === undefined || accountId === undefined || priority === undefined) throw badCursor();
  return { route, accountId, priority: priority as 'interactive' | 'bulk' };
}
