import { type Static, Type } from 'typebox';
import { systemClock } from '../../lib/clock.ts';
import { parseTime } from '../../lib/parse-time.ts';
import { allows } from '../../message/api-key.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { isId } from '../../message/id.ts';
import { type Counter, counters } from '../../message/statistics/series-tallies.ts';
import { callbackRouteName } from '../../message/webhook.ts';
import type { ControlCache } from '../../store/control/control-cache.ts';
import { DatabaseError, type Queryable } from '../../store/database.ts';
import { describeFault } from '../../store/describe-fault.ts';
import { type Step, stepMs, stepOf, steps } from '../../store/statistics/periods.ts';
import { readKnown, readStatistics, type StatisticsRead } from '../../store/statistics/read-statistics.ts';
import { isSettled } from '../../store/statistics/settle-target.ts';
import { namedAccount } from '../acting-for.ts';
import type { ApiContext, ApiInstance, Caller } from '../context.ts';
import { readingContext } from '../read-target.ts';
import { type By, statisticsSeries } from '../reading/statistics-answer.ts';
import { noSuchAccount } from './account-fields.ts';
import { badQuery } from './message-fields.ts';

/** Steps of one answer: a week by the minute, a year by the hour. */
const stepsMax = 11_000;
const seriesMax = 1_000;
/** Rows that one answer is made of: a year by the day of 130 accounts on two routes each. */
const rowsMax = 100_000;
/** Rows that totals are made of, which cost a tenth: a year by the day of a thousand accounts, a day by the minute of 270. */
const totalRowsMax = 400_000;
/** What is shown where nobody says since when. */
const stepsDefault: Record<Step, number> = { minute: 60, hour: 48, day: 30 };

const count = Type.Integer();
const wait = Type.Union([Type.Number(), Type.Null()]);
const Point = Type.Object({
  at: Type.String({ format: 'date-time', description: 'when the step begins; of a total, `since`' }),
  ...(Object.fromEntries(counters.map((name) => [name, count])) as Record<Counter, typeof count>),
  timeToFirstAttempt: Type.Object({ count, p50Ms: wait, p95Ms: wait, p99Ms: wait }),
});

const Series = Type.Object({
  account: Type.Optional(Type.String()),
  route: Type.Optional(Type.String()),
  batch: Type.Optional(Type.String()),
  tag: Type.Optional(Type.String()),
  points: Type.Array(Point),
});

const time = Type.String({ format: 'date-time' });

const Query = Type.Object(
  {
    step: Type.Optional(Type.Enum([...steps], { default: 'hour' })),
    since: Type.Optional(
      Type.String({
        description: `from this time on (RFC 3339), as far back as the step holds it; without it ${stepsDefault.minute} minutes, ${stepsDefault.hour} hours or ${stepsDefault.day} days`,
      }),
    ),
    until: Type.Optional(Type.String({ description: 'before this time; now without it' })),
    by: Type.Optional(
      Type.Enum(['none', 'account', 'route', 'batch', 'tag'], {
        default: 'none',
        description: 'what has a series of its own',
      }),
    ),
    account: Type.Optional(Type.String({ description: 'the id of an account' })),
    route: Type.Optional(Type.String({ description: 'the name of a route' })),
    batch: Type.Optional(Type.String({ description: 'the id of a batch' })),
    tag: Type.Optional(Type.String()),
    total: Type.Optional(
      Type.Boolean({
        description:
          'one point for each series, of the whole time; its percentiles are those of the whole time as well',
      }),
    ),
  },
  { additionalProperties: false },
);

export function showStatistics(app: ApiInstance, context: ApiContext): void {
  /** The other database is that of this installation, once and for all. */
  let isOurs = false;
  app.get(
    '/v1/statistics',
    {
      config: { scope: 'read', errors: ['not_found', 'unknown_route'] },
      schema: {
        summary: 'What happened by the minute, hour or day',
        description:
          'Counted is what happened in a step: a message that was `sent` in one and `delivered` in another counts once in each. ' +
          '`timeToFirstAttempt` is from when a message was accepted, or from its `scheduledAt`, to when its first attempt began; ' +
          'percentiles are exact to a factor of √2. A step in which nothing happened has no point. Everything recorded before ' +
          '`asOf` is in, and what comes later is added to the step in which it happened. With `by=batch` messages that belong to none ' +
          'are left out, with `by=tag` those without tags; a message counts under each of its tags. An administrator sees all accounts, others their own.',
        tags: ['statistics'],
        querystring: Query,
        response: {
          200: Type.Object({
            step: Type.Enum([...steps]),
            since: time,
            until: time,
            asOf: Type.Union([time, Type.Null()], { description: 'null before anything was counted' }),
            series: Type.Array(Series),
          }),
        },
      },
    },
    async (request) =>
      app.sharedReads.run(request, async () => {
        const { query, caller } = request;
        const { control, statistics } = context;
        const home = (await readingContext(context, request)).database;
        const database = statistics ?? home;
        try {
          if (statistics && !isOurs) isOurs = await isSettled(home, statistics);
          if (statistics && !isOurs) throw notOurs();
          return await answer(database, { query, caller, control });
        } catch (error) {
          throw statistics && error instanceof DatabaseError ? placeAway(error) : error;
        }
      }),
  );
}

/** Also while nobody has made its tables yet. */
function placeAway(error: DatabaseError): ProblemError {
  return new ProblemError(
    'unavailable',
    `the events database does not answer (${describeFault(error.fault)}); what is counted meanwhile waits for it`,
    { retryAfterSeconds: 5 },
  );
}

async function answer(
  database: Queryable,
  { query, caller, control }: { query: Static<typeof Query>; caller: Caller; control: ControlCache },
) {
  const { step = 'hour', by = 'none', total = false } = query;
  const most = total ? totalRowsMax : rowsMax;
  const span = spanOf(query, step);
  const read: StatisticsRead = {
    ...{ step, ...span },
    accountId: await accountOf(query.account, { caller, control }),
    byAccount: by === 'account',
    ...routesOf(query.route, control),
    ...batchOf(query.batch),
    byBatch: by === 'batch',
    ...(query.tag !== undefined && { tag: query.tag }),
    byTag: by === 'tag',
    total,
    limit: most + 1,
  };
  const { knownUntil, isElsewhere } = await readKnown(database);
  if (isElsewhere) throw keptElsewhere();
  const rows = await readStatistics(database, read);
  if (rows.reduce((sum, { looked }) => sum + looked, 0) > most) {
    const other = total ? '' : ' for the `total`,';
    throw tooMuch(
      `be made of more than ${most} rows: ask for less time, for longer steps,${other} or for one account, route, batch or tag`,
    );
  }
  const routeName = (id: number) => control.routeById(id)?.name ?? String(id);
  const series = statisticsSeries(rows, { by: by as By, routeName });
  if (series.length > seriesMax)
    throw tooMuch(`have ${series.length} series: ask for one account, route, batch or tag`);
  return {
    step,
    since: new Date(span.sinceMs).toISOString(),
    until: new Date(span.untilMs).toISOString(),
    asOf: knownUntil?.toISOString() ?? null,
    series,
  };
}

/** RFC 3339 has four digits for a year. */
const yearsEndMs = Date.UTC(10_000, 0, 1);

/** Of whole steps. */
function spanOf({ since, until }: Static<typeof Query>, step: Step): { sinceMs: number; untilMs: number } {
  const askedMs = readTime('until', until) ?? systemClock.nowMs();
  const untilMs = Math.min(stepOf(step, askedMs + stepMs[step] - 1), yearsEndMs - stepMs[step]);
  const from = readTime('since', since);
  const sinceMs = from === undefined ? untilMs - stepsDefault[step] * stepMs[step] : stepOf(step, from);
  if (sinceMs >= untilMs) throw badQuery('since', 'must be before `until`');
  const span = (untilMs - sinceMs) / stepMs[step];
  if (span > stepsMax) {
    const detail = `is ${span} steps before \`until\`; the limit is ${stepsMax}: ask for less time, or for longer steps`;
    throw badQuery('since', detail);
  }
  return { sinceMs, untilMs };
}

/** A plus, of a time zone, may arrive as a space. */
function readTime(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = parseTime(text.replace(' ', '+'));
  if (!at) throw badQuery(name, 'must be a time such as 2026-01-02T03:04:05Z');
  return at.getTime();
}

/** @throws ProblemError `not_found` for an account that is not there, or that the caller may not see */
async function accountOf(
  text: string | undefined,
  { caller, control }: { caller: Caller; control: ControlCache },
): Promise<number | null> {
  const seen = caller.actsFor ?? (allows(caller.scopes, 'admin') ? null : caller.accountId);
  if (text === undefined) return seen;
  const account = seen === null || text === String(seen) ? await namedAccount(control, text) : undefined;
  if (account === undefined) throw noSuchAccount();
  return account.id;
}

/** Callbacks are messages of an account that it did not send: they are counted where their route is asked for. */
function routesOf(
  name: string | undefined,
  control: ControlCache,
): Pick<StatisticsRead, 'routeIds' | 'exceptRouteIds'> {
  // Also of those that had the name and were deleted.
  const idsOf = (wanted: string) =>
    [...control.routes()].filter((route) => route.name === wanted).map(({ id }) => id);
  if (name === undefined) return { exceptRouteIds: idsOf(callbackRouteName) };
  const routeIds = idsOf(name);
  if (routeIds.length > 0) return { routeIds };
  throw new ProblemError('unknown_route', `there is no route named ${JSON.stringify(name)}`);
}

function batchOf(batch: string | undefined): Pick<StatisticsRead, 'batch'> {
  if (batch === undefined) return {};
  if (!isId(batch)) throw badQuery('batch', 'must be the id of a batch');
  return { batch };
}

function tooMuch(what: string): ProblemError {
  return badQuery('by', `this answer would ${what}`);
}

function notOurs(): ProblemError {
  return new ProblemError(
    'unavailable',
    'The statistics are not kept in the database that eventsDatabase names, or not yet: a server with the role events takes them there, and its log, or `millrace doctor`, says why it does not.',
    { retryAfterSeconds: 5 },
  );
}

function keptElsewhere(): ProblemError {
  return new ProblemError(
    'unavailable',
    'The statistics are kept in a database of their own, which this server is not told of: give it the option eventsDatabase.',
    { retryAfterSeconds: 60 },
  );
}
