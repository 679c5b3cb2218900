import { describe, expect, it } from 'vitest';
import { bitmapOf } from '../../message/bitmap.ts';
import { decodeChunk, encodeChunk, splitFrame, testChunk } from '../../message/chunk-codec.ts';
import { eraseFromChunk } from '../../message/erase-from-chunk.ts';
import { makeChunkId, messageIdAt } from '../../message/id.ts';
import { stateNumber } from '../../message/state.ts';
import { eventTypesDefault } from '../../message/webhook.ts';
import type { FeedRow } from '../../store/reading/read-events.ts';
import {
  type CallbackChunk,
  type CallbackEndpoint,
  type CallbackTask,
  makeCallbacks,
} from './make-callbacks.ts';

const chunkId = makeChunkId({ unixMs: Date.parse('2026-05-04'), shard: 5, random: new Uint8Array(8) });
const batch = makeChunkId({ unixMs: Date.parse('2026-05-04'), shard: 6, random: new Uint8Array(8) });

const billing: CallbackEndpoint = {
  accountId: 1,
  name: 'billing',
  events: eventTypesDefault,
  filter: {},
  batchMax: 1,
  beginsAt: 0n,
};

function sentRow(more: Partial<FeedRow & { kind: 'messages' }> = {}): FeedRow {
  return {
    kind: 'messages',
    writtenBy: 100n,
    shard: 5,
    id: chunkId,
    seq: 7n,
    offset: -1,
    at: new Date('2026-05-04T10:00:00Z'),
    accountId: 1,
    routeId: 3,
    batch,
    state: stateNumber.sent,
    attempt: 1,
    chunkCount: 3,
    offsets: null,
    errorCode: null,
    details: null,
    providerRefs: null,
    ...more,
  };
}

function taskOf(lines: readonly unknown[], more: Partial<CallbackTask> = {}): CallbackTask {
  const chunk = encodeChunk(Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n')));
  return {
    rows: [sentRow({ chunkCount: lines.length })],
    chunks: new Map([[chunkId, chunk]]),
    defaults: new Map(),
    batches: new Map(),
    routeNames: new Map([[3, 'sms']]),
    endpoints: [billing],
    reporting: new Set(),
    ...more,
  };
}

function linesIn(chunks: readonly CallbackChunk[]): Record<string, never>[] {
  return chunks.flatMap(({ codec, payload }) =>
    splitFrame(decodeChunk(codec, payload)).map((line) => JSON.parse(line)),
  );
}

const three = [
  { to: '+31612345670', ref: 'a', tags: ['otp'] },
  { to: '+31612345671', ref: 'b' },
  { to: '+31612345672', metadata: { order: 7 } },
];

describe('status reports', () => {
  const reportUrl = 'https://example.com/reports';
  const reporting = new Set([1]);
  const asking = [
    { to: '+31612345670', ref: 'a', reportUrl },
    { to: '+31612345671', ref: 'b' },
    { to: '+31612345672', reportUrl },
    { to: '', erased: true },
  ];
  const rowOf = (state: keyof typeof stateNumber, more: object = {}) =>
    sentRow({ batch: null, chunkCount: asking.length, state: stateNumber[state], ...more });

  it('go to the URL that a message names, where it has a reference, beside what endpoints are told', () => {
    const chunks = makeCallbacks(taskOf(asking, { rows: [rowOf('delivered')], reporting }));
    const lines = linesIn(chunks);
    expect(lines.filter(({ report }) => report !== undefined)).toEqual([
      {
        to: reportUrl,
        ref: chunkId,
        report: {
          id: chunkId.replaceAll('-', ''),
          reference: 'a',
          ...{ to: '+31612345670', status: 'delivered', at: '2026-05-04T10:00:00.000Z' },
        },
      },
    ]);
    expect(lines.filter(({ to }) => to === 'billing')).toHaveLength(3);
  });

  it.each([
    ['sending', 1, undefined],
    ['queued', 1, undefined],
    ['canceled', 1, undefined],
    ['retrying', 1, 'buffered'],
    ['retrying', 2, undefined],
    ['uncertain', 1, 'buffered'],
    ['sent', 2, 'sent'],
    ['failed', 1, 'delivery_failed'],
    ['suppressed', 0, 'delivery_failed'],
    ['expired', 3, 'expired'],
  ] as const)('of %s in attempt %d say %s', (state, attempt, status) => {
    const rows = [rowOf(state, { attempt })];
    const made = linesIn(makeCallbacks(taskOf(asking, { rows, reporting, endpoints: [] })));
    expect(made).toMatchObject(status === undefined ? [] : [{ report: { status } }]);
  });

  it('are made of no other account, and of no batch', () => {
    const made = (row: FeedRow, accounts: number[]) =>
      makeCallbacks(taskOf(asking, { rows: [row], reporting: new Set(accounts), endpoints: [] }));
    expect(made(rowOf('sent'), [2])).toEqual([]);
    expect(made(rowOf('sent', { batch }), [1])).toEqual([]);
  });

  it('are found and erased by whom they tell of', () => {
    const [chunk] = makeCallbacks(taskOf(asking, { rows: [rowOf('sent')], reporting, endpoints: [] }));
    const erased = eraseFromChunk(chunk!, { accountId: 1, to: '+31612345670' });
    expect(erased).toMatchObject({ offsets: [0], lookup: { kind: 'filter' } });
    expect(eraseFromChunk(chunk!, { accountId: 1, to: '+31612345671' })).toBeUndefined();
  });
});

describe('callbacks', () => {
  it('tell of each message by itself, with what its sender knows it by', () => {
    const rows = [sentRow({ offsets: bitmapOf(3, [0, 2]), providerRefs: ['p0', 'p2'] })];
    const task = taskOf(three, { rows, defaults: new Map([[batch, { tags: ['spring'] }]]) });
    expect(linesIn(makeCallbacks(task))).toEqual([
      {
        to: 'billing',
        ref: messageIdAt(chunkId, 0),
        payload: {
          type: 'message.sent',
          id: `${messageIdAt(chunkId, 0)}.7`,
          timestamp: '2026-05-04T10:00:00.000Z',
          data: {
            messageId: messageIdAt(chunkId, 0),
            state: 'sent',
            sequence: 7,
            batchId: batch,
            to: '+31612345670',
            ref: 'a',
            attempt: 1,
            providerRef: 'p0',
            tags: ['otp'],
            route: 'sms',
          },
        },
      },
      expect.objectContaining({
        payload: expect.objectContaining({
          data: expect.objectContaining({ providerRef: 'p2', tags: ['spring'], metadata: { order: 7 } }),
        }),
      }),
    ]);
  });

  it('reach the endpoints of the account that want them, by type, route and tag, and no others', () => {
    const failed = sentRow({ state: stateNumber.failed, errorCode: 'x', details: ['why'], seq: 8n });
    const endpoints: CallbackEndpoint[] = [
      { ...billing, name: 'failures', events: ['message.failed'] },
      { ...billing, name: 'tagged', filter: { tags: ['otp'] } },
      { ...billing, name: 'elsewhere', filter: { routes: ['email'] } },
      { ...billing, name: 'here', filter: { routes: ['sms'] }, events: ['message.failed'] },
      { ...billing, name: 'stranger', accountId: 2 },
      { ...billing, name: 'late', beginsAt: 101n },
      { ...billing, name: 'counted-otherwise', beginsAt: null, events: ['message.failed'] },
    ];
    const lines = linesIn(makeCallbacks(taskOf(three, { rows: [sentRow(), failed], endpoints })));
    const told = (name: string) => lines.filter(({ to }) => to === name).length;
    expect(Object.fromEntries(endpoints.map(({ name }) => [name, told(name)]))).toEqual({
      failures: 3,
      tagged: 2,
      elsewhere: 0,
      here: 3,
      stranger: 0,
      late: 0,
      'counted-otherwise': 3,
    });
  });

  it('share requests where the endpoint asks for it, within the length of a message', () => {
    const many = Array.from({ length: 250 }, (_, n) => ({ to: `+3161234${1_000 + n}`, metadata: { n } }));
    const endpoints = [{ ...billing, batchMax: 100 }];
    const lines = linesIn(makeCallbacks(taskOf(many, { endpoints })));
    expect(lines.map(({ payload }) => (payload as unknown as { data: unknown[] }).data.length)).toEqual([
      100, 100, 50,
    ]);

    const long = many.map(({ to }) => ({ to, metadata: { text: 'x'.repeat(3_000) } }));
    const longLines = linesIn(makeCallbacks(taskOf(long, { endpoints })));
    expect(longLines.length).toBeGreaterThan(3);
    for (const line of longLines) expect(JSON.stringify(line).length).toBeLessThan(65_536);
    const told = longLines.flatMap(({ payload }) => (payload as unknown as { data: { id: string }[] }).data);
    expect(new Set(told.map(({ id }) => id)).size).toBe(250);
  });

  it('tell nothing of who was erased, and can be erased with a person', () => {
    const lines = [...three, { to: '', erased: true }];
    const [chunk] = makeCallbacks(taskOf(lines));
    expect(chunk!.count).toBe(3);
    const erased = eraseFromChunk(chunk!, { accountId: 1, to: '+31612345671' });
    expect(erased?.offsets).toEqual([1]);
    const left = Buffer.from(decodeChunk(erased!.codec, erased!.payload)).toString();
    expect(left).not.toContain('+31612345671');
    expect(left).toContain('+31612345670');
  });

  it('of what a test key has sent say so, those of its batches too', () => {
    const { codec, payload } = encodeChunk(Buffer.from(JSON.stringify(three[0])));
    const chunks = new Map([[chunkId, { codec: codec | testChunk, payload }]]);
    const row: FeedRow = { ...sentRow(), kind: 'batch', id: batch, state: 'done' };
    const batches = new Map([[batch, { routeId: 3, test: true }]]);
    const rows = [sentRow({ chunkCount: 1 }), row];
    const told = linesIn(makeCallbacks(taskOf([], { rows, chunks, batches })));
    expect(told).toMatchObject([
      { payload: { data: { test: true } } },
      { payload: { data: { test: true } } },
    ]);
  });

  it('of batches name the batch and its route', () => {
    const row: FeedRow = { ...sentRow(), kind: 'batch', id: batch, state: 'done' };
    const task = taskOf([], { rows: [row], batches: new Map([[batch, { routeId: 3, test: false }]]) });
    expect(linesIn(makeCallbacks(task))).toEqual([
      {
        to: 'billing',
        payload: {
          type: 'batch.done',
          id: `${batch}.100`,
          timestamp: '2026-05-04T10:00:00.000Z',
          data: { batchId: batch, state: 'done', route: 'sms', sequence: 100 },
        },
      },
    ]);
  });
});
