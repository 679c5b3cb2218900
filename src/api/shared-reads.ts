import type { FastifyRequest } from 'fastify';
import { tokenText } from '../lib/log-position.ts';
import { singleFlight } from '../lib/single-flight.ts';
import { allows } from '../message/api-key.ts';
import type { ApiInstance } from './context.ts';

/** A dashboard that a hundred people look at polls faster than its numbers can be read. */
const shareMs = 100;
/** Answers kept at most; each is a page at most. */
const keptMax = 1_000;

/** Makes equal reads of the same moment once, whatever number of clients asks. */
export interface SharedReads {
  /** Reads are equal when one account asks for one URL, and sees as much. */
  run<Result>(request: FastifyRequest, work: () => Promise<Result>): Promise<Result>;
}

declare module 'fastify' {
  interface FastifyInstance {
    sharedReads: SharedReads;
  }
}

/**
 * Decorates the app with `sharedReads`. A client always reads its own writes: one answered here begins a new
 * generation of its account's reads. A read with a consistency token, which may stand for a write answered by another
 * process, is shared by those with the same token, and made anew when that is `unknown`: it names no write.
 */
export function shareReads(app: ApiInstance): void {
  const flights = singleFlight({ shareMs, keptMax });
  const writes = new Map<number, number>();
  app.addHook('onSend', (request, _reply, payload, done) => {
    const accountId = request.caller?.accountId;
    const isWrite = request.method !== 'GET' && request.method !== 'HEAD';
    if (isWrite && accountId !== undefined) writes.set(accountId, (writes.get(accountId) ?? 0) + 1);
    done(null, payload);
  });
  app.decorate('sharedReads', {
    run(request, work) {
      const { caller, consistency = [] } = request;
      if (consistency === 'unknown') return work();
      const { accountId, actsFor, scopes } = caller;
      // The same path shows an administrator more than other keys of the same account.
      const sees = actsFor === undefined && allows(scopes, 'admin') ? 'all' : 'own';
      const generation = `${writes.get(accountId) ?? 0} ${tokenText(consistency)}`;
      return flights.run(`${accountId} ${sees} ${generation} ${request.url}`, work);
    },
  });
}
