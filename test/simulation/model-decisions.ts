import { randomUUID } from 'node:crypto';
import { bitmapOf } from '../../src/message/bitmap.ts';
import type { DecisionKind, InboxFilter } from '../../src/message/decision-request.ts';
import { chunkIdOf, parseId, shardOf } from '../../src/message/id.ts';
import { type State, stateNumber } from '../../src/message/state.ts';
import type { Connection, ModelClient, Reply } from './model-client.ts';
import { lockBatch, type Session, type StoredBatch, type StoredRequest } from './model-database.ts';

/** The statements of `store/decisions`, on the model: what others than the owners of shards write. */
export interface DecisionWrites {
  pauseBatch(batch: string): Promise<boolean>;
  resumeBatch(batch: string): Promise<boolean>;
  cancelBatch(batch: string): Promise<boolean>;
  /** The answer is the request's id; undefined for a replay in a batch that is still being canceled. */
  requestOfMessage(request: {
    messageId: string;
    batch: string | null;
    count: number;
    kind: DecisionKind;
    filter: InboxFilter;
  }): Promise<string | undefined>;
  /** False for a batch that is still being canceled. */
  requestOfBatch(request: {
    batch: string;
    kind: 'replay' | 'resolve';
    states: readonly State[];
    filter: InboxFilter;
  }): Promise<boolean>;
}

export function modelDecisions(client: ModelClient, newId: () => string = randomUUID): DecisionWrites {
  const { database } = client.server;
  /** One UPDATE of a batch: the answer is whether it changed the row. */
  const hold = (name: string, id: string, change: (batch: StoredBatch) => StoredBatch['held'] | false) =>
    client.query(name, (session, reply: Reply<boolean>) => {
      lockBatch(database, session, id, () => {
        const batch = database.batches.get(id);
        const as = batch === undefined ? false : change(batch);
        if (batch === undefined || as === false) return reply(false);
        session.writes.push({
          apply: () => {
            batch.held = as;
          },
          hold: { batch: id, as },
        });
        reply(true);
      });
    });
  const insert = (session: Session, asked: Omit<StoredRequest, 'at'>) => {
    const request = { ...asked, at: `${Math.floor(client.server.nowMs * 1_000)}` };
    session.writes.push({ apply: () => database.inbox.set(request.id, request), request });
  };
  return {
    pauseBatch: (id) =>
      hold('pause_batch', id, ({ doneCounts, held }) => (doneCounts || held ? false : 'paused')),
    resumeBatch: (id) => hold('resume_batch', id, ({ held }) => (held === 'paused' ? undefined : false)),
    cancelBatch: (id) =>
      hold('cancel_batch', id, ({ doneCounts, held }) =>
        doneCounts || held === 'canceled' ? false : 'canceled',
      ),

    requestOfMessage: ({ messageId, batch, count, kind, filter }) =>
      client.transaction('request_of_message', async (connection) => {
        const reopens = kind === 'replay' && batch !== null;
        if (reopens && !(await reopen(client, connection, { id: batch, kind }))) return undefined;
        const offsets = bitmapOf(count, [parseId(messageId).offset]);
        const chunkId = chunkIdOf(messageId);
        const open =
          kind === 'cancel' ? await openCancel(client, connection, { chunkId, offsets }) : undefined;
        if (open !== undefined) return open;
        const id = newId();
        const request = { id, shard: shardOf(messageId), chunkId, batch, kind, offsets, filter };
        await connection.call<void>((session, reply) => {
          insert(session, request);
          reply();
        });
        return id;
      }),

    requestOfBatch: ({ batch, kind, states, filter }) =>
      client.transaction('request_of_batch', async (connection) => {
        if (!(await reopen(client, connection, { id: batch, kind }))) return false;
        const numbers = new Set<number>(states.map((state) => stateNumber[state]));
        await connection.call<void>((session, reply) => {
          for (const chunk of database.chunks.values()) {
            if (chunk.batch !== batch) continue;
            const rows = database.outcomes.get(chunk.chunkId) ?? [];
            if (!rows.some(({ state }) => numbers.has(state))) continue;
            const { chunkId, shard } = chunk;
            insert(session, { id: newId(), shard, chunkId, batch, kind, offsets: null, filter });
          }
          reply();
        });
        return true;
      }),
  };
}

/** The cancellation of a message that is open, unless a replay was asked for that might undo it. */
function openCancel(
  client: ModelClient,
  connection: Connection,
  of: { chunkId: string; offsets: Uint8Array },
): Promise<string | undefined> {
  const { database } = client.server;
  return connection.call<string | undefined>((_, reply) => {
    const asked = [...database.inbox.values()].filter(({ chunkId }) => chunkId === of.chunkId);
    const open = asked.find(
      ({ kind, offsets }) =>
        kind === 'cancel' && offsets !== null && Buffer.compare(offsets, of.offsets) === 0,
    );
    reply(asked.some(({ kind }) => kind === 'replay') ? undefined : open?.id);
  });
}

/** Of a replay, only a batch that is not canceled, or was and is done; of a resolution, whatever it is. */
function reopen(
  client: ModelClient,
  connection: Connection,
  { id, kind }: { id: string; kind: DecisionKind },
): Promise<boolean> {
  const { database } = client.server;
  return connection.call<boolean>((session, reply) => {
    lockBatch(database, session, id, () => {
      const batch = database.batches.get(id);
      const canceled = batch?.held === 'canceled';
      if (batch === undefined || (kind === 'replay' && canceled && !batch.doneCounts)) return reply(false);
      const as = kind === 'replay' && canceled ? undefined : batch.held;
      session.writes.push({
        apply: () => {
          batch.doneCounts = undefined;
          batch.held = as;
          batch.reopened++;
        },
        hold: { batch: id, as },
      });
      reply(true);
    });
  });
}
