import type { FastifyRequest } from 'fastify';
import { type ConsistencyToken, parseToken, tokenLengthMax, tokenText } from '../lib/log-position.ts';
import { ProblemError } from '../message/error-codes.ts';
import type { Queryable } from '../store/database.ts';
import type { ApiContext, ApiInstance } from './context.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the answer must have seen. */
    consistency: ConsistencyToken | undefined;
  }
}

const header = 'millrace-consistency';
/** Of a read whose token is of an earlier timeline: that of the primary. */
const timelineHeader = 'millrace-timeline';
/** Answers that say that nothing was done. */
const undone = new Set([401, 403, 404, 405, 415, 417, 429, 431, 508]);

/**
 * What an endpoint reads from, as it is chosen for one request. The statements of one answer are made on one target,
 * because what they read is put together; so is never put together what one reads there and what the memory of workers
 * has (see docs/replicas.md for what stays on the primary).
 */
export async function readingContext(
  context: ApiContext,
  request: FastifyRequest,
): Promise<Pick<ApiContext, 'control'> & { database: Queryable }> {
  const { control, replicas } = context;
  const database = replicas ? await replicas.choose(request.consistency) : context.database;
  return { database, control };
}

/** Reads the token of each request, and gives one with the answer to each write. */
export function carryConsistency(app: ApiInstance, { replicas }: Pick<ApiContext, 'replicas'>): void {
  app.decorateRequest('consistency');
  app.addHook('onRequest', (request, _reply, done) => {
    const text = request.headers[header];
    // A probe reads nothing that a token could be about.
    if (text === undefined || request.routeOptions.config.scope === 'none') return done();
    // Node joins what comes in several lines by commas.
    request.consistency = parseToken(String(text));
    done(request.consistency === undefined ? badToken() : undefined);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const isWrite = request.method !== 'GET' && request.method !== 'HEAD';
    // Nobody but the reader could tell a write that was lost in a failover from one that never was.
    const later = !isWrite && request.consistency && replicas?.laterTimeline(request.consistency);
    if (later) reply.header(timelineHeader, String(later));
    if (!isWrite || request.caller === undefined || undone.has(reply.statusCode)) return done();
    // Of a write that was made elsewhere its answer tells, if the server there knows.
    const told = (reply.getHeader(header) ?? 'unknown') !== 'unknown';
    if (told || reply.hasHeader('fly-replay')) return done();
    if (replicas === undefined || reply.statusCode >= 500) {
      reply.header(header, 'unknown');
      return done();
    }
    replicas.token().then((token) => {
      reply.header(header, tokenText(token));
      done(null, payload);
    }, done);
  });
}

function badToken(): ProblemError {
  return new ProblemError(
    'invalid_request',
    'Millrace-Consistency must be what the answer to a write had there, such as home:1:0/16B374D8: ' +
      `cell, timeline and position, several with commas between, ${tokenLengthMax} characters at most.`,
  );
}
