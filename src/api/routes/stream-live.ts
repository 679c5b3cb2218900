import { setMaxListeners } from 'node:events';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { systemClock } from '../../lib/clock.ts';
import { allows } from '../../message/api-key.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { faultWarning } from '../../observe/fault-limit.ts';
import { authenticate } from '../authenticate.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { LiveFeed } from '../live/live-feed.ts';
import { takeSnapshot } from '../live/live-snapshot.ts';
import { viewOf } from '../live/live-view.ts';
import { problemOf, problemText } from '../problem.ts';

/** Streams at once in one process, and of one key: each holds a connection, and an event in memory. */
const liveStreamsMax = 100;
const liveStreamsOfKeyMax = 32;

export function streamLive(app: ApiInstance, context: ApiContext): void {
  const { control, log, lifecycle } = context;
  const warn = faultWarning(log, 'the figures of this moment could not be read');
  // Each stream listens for the end.
  setMaxListeners(0, lifecycle.signal);
  const feed = new LiveFeed<number | null>({
    clock: systemClock,
    snapshot: () => takeSnapshot(context),
    event: (snapshot, accountId) =>
      eventText('snapshot', JSON.stringify(viewOf(snapshot, { accountId, control }))),
    trouble(error) {
      warn(error);
      return eventText('trouble', problemText(problemOf(error)));
    },
  });
  const streamsOf = new Map<string, number>();
  let streams = 0;
  app.get(
    '/v1/live',
    {
      config: { scope: 'read', errors: ['unavailable', 'rate_limited'] },
      exposeHeadRoute: false,
      schema: {
        summary: 'What flows and what waits, once a second, as a stream of events',
        description:
          'Server-sent events: `snapshot` with the figures of the whole installation as JSON, `trouble` with a problem ' +
          'document in a second in which they could not be read. An administrator sees all accounts, others their own. ' +
          'Rates are messages a second; workers and servers begin to tell theirs within two seconds of the first look.',
        tags: ['server'],
        response: {
          200: {
            description: 'events until one side ends it',
            content: { 'text/event-stream': { schema: Type.Unsafe<Readable>(Type.String()) } },
          },
        },
      },
    },
    async (request, reply) => {
      const { caller } = request;
      const ofKey = streamsOf.get(caller.keyId) ?? 0;
      if (streams >= liveStreamsMax) {
        throw new ProblemError('unavailable', `${liveStreamsMax} live streams are open on this server`, {
          retryAfterSeconds: 5,
        });
      }
      if (ofKey >= liveStreamsOfKeyMax) {
        throw new ProblemError('rate_limited', `${liveStreamsOfKeyMax} live streams of this key are open`, {
          retryAfterSeconds: 5,
        });
      }
      // Who has gone meanwhile will not close a second time.
      if (reply.raw.destroyed) throw new ProblemError('invalid_request', 'the connection was closed');
      streams++;
      streamsOf.set(caller.keyId, ofKey + 1);
      reply.raw.once('close', () => {
        streams--;
        const left = streamsOf.get(caller.keyId)! - 1;
        if (left > 0) streamsOf.set(caller.keyId, left);
        else streamsOf.delete(caller.keyId);
      });
      // A proxy that gathers answers would make old figures of them.
      reply.header('x-accel-buffering', 'no').type('text/event-stream; charset=utf-8');
      return reply.send(eventsFor({ request, reply, feed }, context));
    },
  );
}

function eventText(name: string, json: string): string {
  return `event: ${name}\ndata: ${json.trim()}\n\n`;
}

/** A reader that is slow misses events; one that takes none for long is cut. */
function eventsFor(
  { request, reply, feed }: { request: FastifyRequest; reply: FastifyReply; feed: LiveFeed<number | null> },
  { control, lifecycle, clientLimits }: ApiContext,
): Readable {
  const { caller } = request;
  const accountId = caller.actsFor ?? (allows(caller.scopes, 'admin') ? null : caller.accountId);
  let wanted = true;
  let takenAtMs = systemClock.monotonicMs();
  const events = new Readable({
    read() {
      wanted = true;
      takenAtMs = systemClock.monotonicMs();
    },
  });
  let leave = () => {};
  const end = () => {
    leave();
    lifecycle.signal.removeEventListener('abort', end);
    if (!events.destroyed) events.push(null);
  };
  leave = feed.watch(accountId, (event) => {
    if (!mayGoOn(request, control)) return end();
    if (wanted) wanted = events.push(event);
    else if (systemClock.monotonicMs() - takenAtMs > clientLimits.answerPartMs) reply.raw.destroy();
  });
  lifecycle.signal.addEventListener('abort', end);
  reply.raw.once('close', end);
  return events;
}

/** Its key may have been revoked, or have run out, since the stream began. */
function mayGoOn(request: FastifyRequest, control: ApiContext['control']): boolean {
  const now = authenticate(control, request);
  return now !== undefined && allows(now.scopes, 'read');
}
