import { createSecretKey, type KeyObject } from 'node:crypto';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { signStatusReport, statusReportUrl } from './status-report.ts';

/** The official client's own verifier, which has no types. */
const { verify, VerifyOptions } = createRequire(import.meta.url)(
  'messagebird/lib/webhook-signature-jwt.js',
) as {
  verify(url: string, body: Buffer | null, token: string, key: KeyObject, options?: object): Promise<boolean>;
  VerifyOptions: new (...options: unknown[]) => object;
};

const signingKey = 'PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd';
const url = statusReportUrl('https://example.com/reports?shop=1', {
  id: 'e8077d803532c0b5937c639b60216938',
  reference: 'order 1',
  to: '+31612345678',
  status: 'delivered',
  at: '2026-11-21T10:00:00.789Z',
});
const verifies = (asked: { url?: string; body?: Buffer | null; key?: string }, token: string) =>
  verify(asked.url ?? url, asked.body ?? null, token, createSecretKey(Buffer.from(asked.key ?? signingKey)));

test('the official verifier takes the signature of a GET, and of a POST with its body', async () => {
  const settings = { signingKey, nowMs: Date.now() };
  expect(await verifies({}, signStatusReport({ url }, settings))).toBe(true);
  const body = Buffer.from('{"status":"delivered"}');
  expect(await verifies({ body }, signStatusReport({ url, body }, settings))).toBe(true);
});

test('it refuses another URL, another body, another key, and a signature that is old', async () => {
  const body = Buffer.from('{}');
  const token = signStatusReport({ url, body }, { signingKey, nowMs: Date.now() });
  await expect(verifies({ body, url: `${url}&x=1` }, token)).rejects.toThrow('url_hash claim');
  await expect(verifies({ body: Buffer.from('{ }') }, token)).rejects.toThrow('payload_hash claim');
  await expect(verifies({ body, key: 'another' }, token)).rejects.toThrow('signature verification failed');
  const old = signStatusReport({ url }, { signingKey, nowMs: Date.now() - 120_000 });
  await expect(verifies({}, old)).rejects.toThrow('"exp" claim');
});

test('a receiver whose clock is a minute off takes it all the same', async () => {
  for (const offMs of [-55_000, 55_000]) {
    expect(await verifies({}, signStatusReport({ url }, { signingKey, nowMs: Date.now() + offMs }))).toBe(
      true,
    );
  }
});

test('each signature has a number of its own, by which a receiver knows one that is replayed', async () => {
  const seen = new Set<string>();
  const once = new VerifyOptions(
    true,
    true,
    { issuer: 'MessageBird', algorithms: ['HS256'] },
    (jti: string) => {
      const isNew = !seen.has(jti);
      seen.add(jti);
      return isNew;
    },
  );
  const key = createSecretKey(Buffer.from(signingKey));
  const sign = () => signStatusReport({ url }, { signingKey, nowMs: Date.now() });
  const token = sign();
  expect(await verify(url, null, token, key, once)).toBe(true);
  await expect(verify(url, null, token, key, once)).rejects.toThrow('invalid jti');
  expect(await verify(url, null, sign(), key, once)).toBe(true);
});

test.each([
  ['https://example.com', 'https://example.com/?id='],
  ['HTTPS://Example.com:443/a%20b?x=%20~(1)&y#top', 'https://example.com/a%20b?x=%20~(1)&y&id='],
])('what %s says itself is asked for as it is', (reportUrl, begins) => {
  const report = {
    id: 'e8',
    reference: 'a&b',
    to: '+31612345678',
    status: 'sent',
    at: '2026-11-21T10:00:00Z',
  } as const;
  const asked = statusReportUrl(reportUrl, report);
  expect(asked.startsWith(begins)).toBe(true);
  expect(new URL(asked).href).toBe(asked);
});

test('a report tells what the classic API tells, behind what the URL says itself', () => {
  expect([...new URL(url).searchParams]).toEqual([
    ['shop', '1'],
    ['id', 'e8077d803532c0b5937c639b60216938'],
    ['reference', 'order 1'],
    ['recipient', '31612345678'],
    ['status', 'delivered'],
    ['statusDatetime', '2026-11-21T10:00:00+00:00'],
  ]);
});
