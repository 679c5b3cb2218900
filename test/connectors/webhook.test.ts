import { createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { Webhook, type WebhookUnbrandedRequiredHeaders } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, Endpoint, Endpoints, Sender } from '../../src/connectors/connector.ts';
import { webhookConnector } from '../../src/connectors/webhook/webhook-connector.ts';
import { isSigned, verifyingKey } from '../../src/lib/standard-webhooks.ts';
import type { MessageFields } from '../../src/message/fields.ts';
import { closeSenders, provide, stopLater, terms } from './open-sender.ts';
import { outgoing } from './outgoing.ts';
import { answerWith, httpAnswer, type SeenRequest } from './scripted-provider.ts';

afterEach(closeSenders);

const hmac = `whsec_${randomBytes(32).toString('base64')}`;
const older = `whsec_${randomBytes(24).toString('base64')}`;
const pair = generateKeyPairSync('ed25519');
const jwk = pair.privateKey.export({ format: 'jwk' });
const seed = Buffer.from(jwk.d!, 'base64url');
const publicKey = Buffer.from(jwk.x!, 'base64url');
const whsk = `whsk_${Buffer.concat([seed, publicKey]).toString('base64')}`;
const whpk = `whpk_${publicKey.toString('base64')}`;

interface Opened {
  secrets?: { secret: string; expiresAt?: string }[];
  concurrency?: number;
  [option: string]: unknown;
}

function open({ concurrency = 8, ...options }: Opened = {}): Sender {
  const given = { secrets: [{ secret: hmac }], allowPrivate: true, timeoutMs: 5_000, ...options };
  expect(webhookConnector.check(given)).toEqual([]);
  const sender = webhookConnector.open({ options: given, concurrency });
  stopLater(() => sender.close());
  return sender;
}

async function send(sender: Sender, fields: MessageFields, more: object = {}): Promise<Answer> {
  const [message] = outgoing(1);
  return (await sender.send([{ ...message!, fields, ...more }], terms))[0]!;
}

const verified = (secret: string, { body, headers }: SeenRequest) =>
  new Webhook(secret).verify(body, headers as unknown as WebhookUnbrandedRequiredHeaders);

describe('a webhook', () => {
  it('is verified by the published library: its id, its time and its payload as it is', async () => {
    const provider = await provide(answerWith(200, ''));
    const payload = { type: 'order.paid', data: { amount: '1.50 €', list: [1, null] } };
    const answer = await send(open(), { to: `${provider.url}?a=b#part`, payload }, { attempt: 3 });
    expect(answer).toEqual({ kind: 'sent' });
    const [request] = provider.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/send?a=b' });
    expect(verified(hmac, request!)).toEqual(payload);
    expect(request!.headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': 'millrace',
      'webhook-id': outgoing(1)[0]!.id,
    });
    expect(() => verified(older, request!)).toThrow();
    expect(() => verified(hmac, { ...request!, body: `${request!.body} ` })).toThrow();
  });

  it('has the payload as the text that was given, where that is known', async () => {
    const provider = await provide(answerWith(200, ''));
    const payloadText = '{"b": 1.0, "1": "\\u00e9"}';
    await send(open(), { to: provider.url, payload: JSON.parse(payloadText) }, { payloadText });
    const [request] = provider.requests;
    expect(request!.body).toBe(payloadText);
    expect(verified(hmac, request!)).toEqual({ b: 1, 1: 'é' });
  });

  it('has the body as it is where there is no payload, and the key of a replay as its id', async () => {
    const provider = await provide(answerWith(200, ''));
    const key = `${outgoing(1)[0]!.id}.2`;
    await send(open(), { to: provider.url, body: '{"a":1}' }, { key });
    const [request] = provider.requests;
    expect(request).toMatchObject({ body: '{"a":1}', headers: { 'webhook-id': key } });
    expect(verified(hmac, request!)).toEqual({ a: 1 });
  });

  it('is signed with every secret that has not expired, HMAC and ed25519', async () => {
    const provider = await provide(answerWith(200, ''));
    const soon = new Date(Date.now() + 60_000).toISOString();
    const secrets = [
      { secret: hmac },
      { secret: older, expiresAt: soon },
      { secret: whsk },
      { secret: `whsec_${randomBytes(24).toString('base64')}`, expiresAt: '2020-01-01T00:00:00Z' },
    ];
    await send(open({ secrets }), { to: provider.url, payload: [1] });
    const request = provider.requests[0]!;
    expect(request.headers['webhook-signature']!.split(' ').map((one) => one.split(',')[0])).toEqual([
      'v1',
      'v1',
      'v1a',
    ]);
    expect(verified(hmac, request)).toEqual([1]);
    expect(verified(older, request)).toEqual([1]);
    const content = {
      id: request.headers['webhook-id']!,
      timestamp: Number(request.headers['webhook-timestamp']),
      body: request.body,
    };
    expect(isSigned(verifyingKey(whpk)!, content, request.headers['webhook-signature']!)).toBe(true);
  });

  it('carries headers of its own and of the route', async () => {
    const provider = await provide(answerWith(200, ''));
    const sender = open({ headers: { 'X-Route': 'r', Authorization: 'Bearer route' } });
    const headers = { Authorization: 'Bearer mine', 'Content-Type': 'application/cloudevents+json' };
    await send(sender, { to: provider.url, payload: {}, headers });
    expect(provider.requests[0]!.headers).toMatchObject({
      'x-route': 'r',
      authorization: 'Bearer mine',
      'content-type': 'application/cloudevents+json',
    });
  });

  it.each<[string, Partial<MessageFields>, RegExp]>([
    ['headers that sign', { headers: { 'Webhook-Id': 'x' } }, /webhook-id/],
    ['headers of the connection', { headers: { Host: 'x' } }, /host/],
    ['headers outside Latin-1', { headers: { 'X-A': '→' } }, /Latin-1/],
    ['headers without end', { headers: { 'X-A': 'x'.repeat(9_000) } }, /8192/],
    ['nothing to send', { payload: undefined as unknown as object }, /payload/],
    ['a URL that is none', { to: 'https://' }, /URL/],
    ['a URL of another scheme', { to: 'ftp://example.com/' }, /URL/],
    ['a URL with a password', { to: 'https://user:secret@example.com/' }, /password/],
  ])('with %s is rejected and not sent', async (_, fields, detail) => {
    const provider = await provide(answerWith(200, ''));
    const given = { to: provider.url, payload: {}, ...fields };
    if (given.payload === undefined) delete (given as { payload?: object }).payload;
    expect(await send(open(), given)).toMatchObject({
      kind: 'rejected',
      error: { code: 'request_invalid', detail: expect.stringMatching(detail) },
    });
    expect(provider.requests).toEqual([]);
  });

  it('does not go to a private address, by number or by name', async () => {
    const provider = await provide(answerWith(200, ''));
    const sender = open({ allowPrivate: false });
    expect(await send(sender, { to: provider.url, payload: {} })).toMatchObject({ kind: 'rejected' });
    const named = provider.url.replace('127.0.0.1', 'localhost');
    expect(await send(sender, { to: named, payload: {} })).toMatchObject({
      kind: 'retry',
      error: { code: 'address_not_allowed' },
    });
    expect(provider.connections.accepted).toBe(0);
  });
});

describe('an endpoint that answers', () => {
  it.each<[number, Record<string, string>, object]>([
    [200, {}, { kind: 'sent' }],
    [202, {}, { kind: 'sent' }],
    [410, {}, { kind: 'rejected', error: { code: 'endpoint_gone' } }],
    [429, { 'retry-after': '9' }, { kind: 'retry', error: { code: 'rate_limited' }, retryAfterMs: 9_000 }],
    [502, { 'retry-after': '9' }, { kind: 'retry', retryAfterMs: 9_000 }],
    [
      503,
      { 'retry-after': '9' },
      { kind: 'retry', error: { code: 'provider_unavailable' }, retryAfterMs: 9_000 },
    ],
    [504, { 'retry-after': '9' }, { kind: 'retry', retryAfterMs: 9_000 }],
    [500, {}, { kind: 'retry', error: { code: 'endpoint_failed' } }],
    [400, {}, { kind: 'retry', error: { code: 'endpoint_failed' } }],
    [404, {}, { kind: 'retry', error: { code: 'endpoint_failed' } }],
  ])('%i', async (status, headers, expected) => {
    const provider = await provide(answerWith(status, 'words', headers));
    expect(await send(open(), { to: provider.url, payload: {} })).toMatchObject(expected);
  });

  it('with a redirect is not followed, and tried again', async () => {
    const elsewhere = await provide(answerWith(200, ''));
    const provider = await provide(answerWith(307, '', { location: elsewhere.url }));
    expect(await send(open(), { to: provider.url, payload: {} })).toMatchObject({
      kind: 'retry',
      error: { code: 'redirect_refused' },
    });
    expect(elsewhere.requests).toEqual([]);
  });
});

describe('a registered endpoint', () => {
  const live = (url: string) => ({ url, secrets: [hmac], disabled: false });

  function openKnowing(known: Partial<Endpoints>): Sender {
    const endpoints = {
      of: () => undefined,
      signingKeyOf: () => undefined,
      catchUp: async () => true,
      ...known,
    };
    const options = { secrets: [{ secret: older }], allowPrivate: true };
    const sender = webhookConnector.open({ options, concurrency: 1, endpoints });
    stopLater(() => sender.close());
    return sender;
  }

  it.each<[string, (url: string) => Endpoint | undefined]>([
    ['not known yet', () => undefined],
    ['disabled, as far as is known', (url) => ({ ...live(url), disabled: true })],
  ])('that is %s is looked for again before a message to it is refused', async (_, before) => {
    const provider = await provide(answerWith(200, ''));
    let known = before(provider.url);
    const sender = openKnowing({
      of: () => known,
      async catchUp() {
        known = live(provider.url);
        return true;
      },
    });
    expect(await send(sender, { to: 'orders', payload: [1] })).toEqual({ kind: 'sent' });
    expect(verified(hmac, provider.requests[0]!)).toEqual([1]);
  });

  it.each([
    [undefined, 'unknown_endpoint'],
    [{ url: 'http://127.0.0.1:9/', secrets: [hmac], disabled: true }, 'endpoint_disabled'],
  ])('%j refuses a message for good once that is certain', async (known, code) => {
    const sender = openKnowing({ of: () => known });
    expect(await send(sender, { to: 'orders', payload: [1] })).toMatchObject({
      kind: 'rejected',
      error: { code },
    });
  });

  it('that may be there, while the database does not say so, is tried again', async () => {
    const sender = openKnowing({ catchUp: async () => false });
    expect(await send(sender, { to: 'orders', payload: [1] })).toMatchObject({
      kind: 'retry',
      error: { code: 'endpoint_unknown_yet' },
    });
  });
});

describe('a status report', () => {
  /** The official client's own verifier, which has no types. */
  const { verify } = createRequire(import.meta.url)('messagebird/lib/webhook-signature-jwt.js') as {
    verify(url: string, body: Buffer | null, token: string, key: object): Promise<boolean>;
  };
  const signingKey = 'PlLrKaqvZNRR5zAjm42ZT6q1SQxgbbGd';
  const report = {
    id: 'e8077d803532c0b5937c639b60216938',
    reference: 'order 1',
    to: '+31612345678',
    status: 'delivered',
    at: '2026-11-21T10:00:00.789Z',
  } as const;

  function openSigning(known: Partial<Endpoints> = {}, options: Record<string, unknown> = {}): Sender {
    const endpoints = {
      of: () => undefined,
      signingKeyOf: () => signingKey,
      catchUp: async () => true,
      ...known,
    };
    const given = { secrets: [{ secret: hmac }], allowPrivate: true, ...options };
    const sender = webhookConnector.open({ options: given, concurrency: 1, endpoints });
    stopLater(() => sender.close());
    return sender;
  }

  it('is asked for by GET, and the official client takes its signature', async () => {
    const provider = await provide(answerWith(200, 'OK'));
    const to = `${provider.url}?shop=1`;
    expect(await send(openSigning({}, { headers: { 'X-Site': 'a' } }), { to, report })).toEqual({
      kind: 'sent',
    });
    const [{ method, path, headers, body }] = provider.requests as [SeenRequest];
    const query =
      'id=e8077d803532c0b5937c639b60216938&reference=order+1&recipient=31612345678&status=delivered&statusDatetime=2026-11-21T10%3A00%3A00%2B00%3A00';
    expect({ method, path, body }).toEqual({ method: 'GET', path: `/send?shop=1&${query}`, body: '' });
    expect(headers).toMatchObject({ 'x-site': 'a', 'user-agent': 'millrace' });
    expect(headers).not.toHaveProperty('webhook-signature');
    const token = headers['messagebird-signature-jwt']!;
    const key = createSecretKey(Buffer.from(signingKey));
    const url = `http://127.0.0.1:${provider.port}${path}`;
    expect(await verify(url, Buffer.from(body), token, key)).toBe(true);
    await expect(verify(`${url}0`, null, token, key)).rejects.toThrow('url_hash claim');
  });

  it.each([
    [503, { 'retry-after': '7' }, { kind: 'retry', retryAfterMs: 7_000 }],
    [401, {}, { kind: 'retry', error: { code: 'endpoint_failed' } }],
    [302, { location: 'http://127.0.0.1:9/' }, { kind: 'retry', error: { code: 'redirect_refused' } }],
    [410, {}, { kind: 'rejected', error: { code: 'endpoint_gone' } }],
  ])('that is answered by %d is no other message', async (status, headers, answer) => {
    const provider = await provide((socket) => socket.write(httpAnswer(status, '', headers)));
    expect(await send(openSigning(), { to: provider.url, report })).toMatchObject(answer);
    expect(provider.requests).toHaveLength(1);
  });

  it('goes to no private address that the route does not allow', async () => {
    const sender = openSigning({}, { allowPrivate: false });
    expect(await send(sender, { to: 'http://127.0.0.1:9/', report })).toMatchObject({ kind: 'rejected' });
    expect(await send(sender, { to: 'http://localhost:9/', report })).toMatchObject({
      error: { code: 'address_not_allowed' },
    });
  });

  it('waits for word of the key that signs it, and is tried again where that cannot be opened', async () => {
    const provider = await provide(answerWith(200, ''));
    let known: string | undefined;
    const learning = openSigning({
      signingKeyOf: () => known,
      async catchUp() {
        known = signingKey;
        return true;
      },
    });
    expect(await send(learning, { to: provider.url, report })).toEqual({ kind: 'sent' });
    const none = { signingKeyOf: () => undefined };
    expect(await send(openSigning(none), { to: provider.url, report })).toMatchObject({
      kind: 'retry',
      error: { code: 'unknown_signing_key' },
    });
  });
});

describe('many endpoints', () => {
  it('keep a connection each, as long as there are enough', async () => {
    const providers = await Promise.all([1, 2, 3].map(() => provide(answerWith(204, ''))));
    const sender = open({ concurrency: 3 });
    for (let n = 0; n < 5; n++) {
      for (const { url } of providers)
        expect(await send(sender, { to: url, payload: n })).toEqual({ kind: 'sent' });
    }
    expect(providers.map(({ connections }) => connections.accepted)).toEqual([1, 1, 1]);
  });

  it('share the connections that there may be: the one that was idle longest gives way', async () => {
    const providers = await Promise.all([1, 2, 3, 4].map(() => provide(answerWith(204, ''))));
    const sender = open({ concurrency: 2 });
    for (let n = 0; n < 3; n++) {
      for (const { url } of providers)
        expect(await send(sender, { to: url, payload: n })).toEqual({ kind: 'sent' });
    }
    expect(providers.map(({ requests }) => requests.length)).toEqual([3, 3, 3, 3]);
    expect(providers.map(({ connections }) => connections.openMax)).toEqual([1, 1, 1, 1]);
    // Each had given way before its turn came again.
    expect(providers.map(({ connections }) => connections.accepted)).toEqual([3, 3, 3, 3]);
  });

  it('are not held up by one that never answers, however many messages it gets', async () => {
    const slow = await provide(() => {});
    const quick = await provide(answerWith(204, ''));
    const sender = open({ concurrency: 4, timeoutMs: 60_000 });
    const controller = new AbortController();
    const toSlow = outgoing(20).map((message) =>
      sender.send([{ ...message, fields: { to: slow.url, payload: 1 } }], {
        ...terms,
        signal: controller.signal,
      }),
    );
    await slow.received(3);
    for (let n = 0; n < 3; n++) {
      expect(await send(sender, { to: quick.url, payload: n })).toEqual({ kind: 'sent' });
    }
    expect(slow.requests).toHaveLength(3);
    controller.abort();
    await Promise.all(toSlow);
  });

  it('that wait for connections get them in turn', async () => {
    const order: number[] = [];
    const providers = await Promise.all(
      [0, 1].map((which) =>
        provide((socket) => {
          order.push(which);
          socket.write(httpAnswer(204, ''));
        }),
      ),
    );
    const sender = open({ concurrency: 1 });
    const to = [0, 0, 0, 0, 1];
    await Promise.all(to.map((which) => send(sender, { to: providers[which]!.url, payload: 1 })));
    // The first goes at once; of the two that then wait, each gets its turn.
    expect(order.indexOf(1)).toBeLessThanOrEqual(2);
    expect(order).toHaveLength(5);
  });
});

describe('the options of the webhook connector', () => {
  const secrets = [{ secret: hmac }];

  it.each<[Record<string, unknown>, string, string]>([
    [{}, '/secrets', 'required'],
    [{ secrets: hmac }, '/secrets', 'invalid_type'],
    [{ secrets: [] }, '/secrets', 'out_of_range'],
    [{ secrets: [hmac] }, '/secrets/0', 'invalid_type'],
    [{ secrets: [{ secret: 'hunter2' }] }, '/secrets/0/secret', 'invalid_value'],
    [{ secrets: [{ secret: whpk }] }, '/secrets/0/secret', 'invalid_value'],
    [{ secrets: [{ secret: hmac, until: 1 }] }, '/secrets/0/until', 'unknown_field'],
    [
      { secrets: [...secrets, { secret: older, expiresAt: 'soon' }] },
      '/secrets/1/expiresAt',
      'invalid_value',
    ],
    [{ secrets: [{ secret: hmac, expiresAt: '2030-01-01T00:00:00Z' }] }, '/secrets', 'invalid_value'],
    [{ secrets, url: 'https://example.com' }, '/url', 'unknown_field'],
    [{ secrets, headers: { 'Webhook-Signature': 'x' } }, '/headers/Webhook-Signature', 'not_allowed'],
  ])('%j are refused at %s', (options, pointer, code) => {
    const problems = webhookConnector.check(options);
    expect(problems).toMatchObject([{ pointer, code, detail: expect.any(String) }]);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });
});
