import { describe, expect, it } from 'vitest';
import { signatures, signingKey } from '../../lib/standard-webhooks.ts';
import type { ReceiptRequest } from '../connector.ts';
import { httpConnector } from './http-connector.ts';
import { checkHttpOptions } from './http-options.ts';

const url = 'https://mill.example/receipts/x';
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const nowMs = Date.UTC(2026, 0, 31, 12);

const post = (body: unknown, headers: ReceiptRequest['headers'] = {}): ReceiptRequest => ({
  method: 'POST',
  url,
  headers,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const read = (request: ReceiptRequest, options: object = {}) =>
  httpConnector.readReceipts!({ url: 'https://provider.example', ...options }, request, { nowMs });

describe('receipts of the plain http connector', () => {
  const delivered = { id: 'm1', providerRef: 'p1', status: 'delivered', at: '2026-01-31T11:59:58.5Z' };
  const failed = {
    providerRef: 17,
    status: 'failed',
    error: { code: 'noSuchNumber', detail: 'gone\nfor good' },
  };
  const news = [
    { key: 'm1', providerRef: 'p1', state: 'delivered', atMs: nowMs - 1_500 },
    { providerRef: '17', state: 'failed', error: { code: 'no_such_number', detail: 'gone for good' } },
  ];

  it('come one by one, as an array or as a list with a name', () => {
    expect(read(post(delivered))).toEqual({ kind: 'read', news: news.slice(0, 1), ignored: 0 });
    expect(read(post([delivered, failed]))).toEqual({ kind: 'read', news, ignored: 0 });
    expect(read(post({ receipts: [delivered, failed] }))).toEqual({ kind: 'read', news, ignored: 0 });
    expect(read(post([]))).toEqual({ kind: 'read', news: [], ignored: 0 });
  });

  it('of another status change nothing', () => {
    expect(read(post([{ id: 'm', status: 'queued' }, delivered]))).toMatchObject({
      news: news.slice(0, 1),
      ignored: 1,
    });
  });

  it('that failed without a word have an error all the same', () => {
    expect(read(post({ id: 'm', status: 'failed' }))).toMatchObject({
      news: [{ error: { code: 'undelivered' } }],
    });
    expect(read(post({ id: 'm', status: 'failed', error: 'no route' }))).toMatchObject({
      news: [{ error: { code: 'undelivered', detail: 'no route' } }],
    });
  });

  it('with one of the two that can be kept need no other', () => {
    expect(read(post({ ...delivered, id: '7'.repeat(300) }))).toMatchObject({
      news: [{ providerRef: 'p1' }],
    });
    expect(read(post({ ...delivered, providerRef: {} }))).toMatchObject({ news: [{ key: 'm1' }] });
  });

  it.each<[unknown, RegExp]>([
    ['{', /JSON/],
    ['7', /JSON/],
    [{ status: 'delivered' }, /Receipt 1 of 1: .*id/],
    [{ id: '', providerRef: null, status: 'delivered' }, /it has neither an id nor a providerRef\.$/],
    [{ id: '7'.repeat(300), status: 'delivered' }, /: its id has more than 256 characters\.$/],
    [{ providerRef: 'a\0b', status: 'delivered' }, /: its providerRef holds U\+0000\.$/],
    [
      { id: ['m'], providerRef: true, status: 'failed' },
      /: its id is neither a text nor a number, and its providerRef is neither a text nor a number\.$/,
    ],
    [[delivered, null], /Receipt 2 of 2/],
    [{ id: 'm' }, /status/],
    [{ ...delivered, at: 'yesterday' }, /RFC 3339/],
    [{ ...delivered, at: 1_700_000_000 }, /RFC 3339/],
    [Array.from({ length: 10_001 }, () => delivered), /10000/],
  ])('%j are refused', (body, detail) => {
    expect(read(post(body))).toEqual({ kind: 'refused', status: 400, detail: expect.stringMatching(detail) });
  });

  describe('with a secret', () => {
    const body = JSON.stringify(delivered);
    const signed = (timestamp = nowMs / 1_000, of = body) => ({
      'webhook-id': 'r1',
      'webhook-timestamp': String(timestamp),
      'webhook-signature': `v1,AAAA ${signatures([signingKey(secret)!], { id: 'r1', timestamp, body: of })}`,
    });

    it('are read when they are signed with it', () => {
      expect(read(post(body, signed()), { receiptSecret: secret })).toMatchObject({
        kind: 'read',
        ignored: 0,
      });
    });

    it.each<[string, ReceiptRequest['headers']]>([
      ['no signature', {}],
      ['the signature of another body', signed(nowMs / 1_000, '{}')],
      ['another id', { ...signed(), 'webhook-id': 'r2' }],
      ['an old signature', signed(nowMs / 1_000 - 301)],
      ['a signature of the future', signed(nowMs / 1_000 + 301)],
      ['a time that is none', { ...signed(), 'webhook-timestamp': 'now' }],
    ])('are refused with %s', (_, headers) => {
      const refused = read(post(body, headers), { receiptSecret: secret });
      expect(refused).toMatchObject({ kind: 'refused', status: 401 });
      expect(JSON.stringify(refused)).not.toContain(secret);
    });

    it('a secret that is none is refused without being quoted', () => {
      const problems = checkHttpOptions({ url, receiptSecret: 'hunter2' });
      expect(problems).toMatchObject([{ pointer: '/receiptSecret', code: 'invalid_value' }]);
      expect(JSON.stringify(problems)).not.toContain('hunter2');
    });
  });
});
