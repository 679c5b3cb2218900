import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, OutgoingMessage } from '../../src/connectors/connector.ts';
import { retryAfterMsMax } from '../../src/connectors/transport/reply-answer.ts';
import { closeSenders, openSender, provide, terms } from './open-sender.ts';
import { outgoing } from './outgoing.ts';
import { answerWith, httpAnswer, type Script } from './scripted-provider.ts';

afterEach(closeSenders);

/** What the sender answers for one message, or several in a batch, when the provider does `script`. */
async function answersTo(
  script: Script,
  options: Record<string, unknown> = {},
  messages = outgoing(1),
): Promise<Answer[]> {
  const provider = await provide(script);
  const answers = await openSender({ url: provider.url, timeoutMs: 5_000, ...options }).send(messages, terms);
  expect(provider.requests).toHaveLength(1);
  return answers;
}

describe('what a provider answers to one message', () => {
  it.each<[string, Script, Partial<Answer> | object]>([
    [
      '200 with an id is sent, with the id as reference',
      answerWith(200, '{"id":"abc"}'),
      { kind: 'sent', providerRef: 'abc' },
    ],
    ['202 with a numeric id is sent', answerWith(202, '{"id":17}'), { kind: 'sent', providerRef: '17' }],
    ['204 is sent', (socket) => socket.write('HTTP/1.1 204 X\r\n\r\n'), { kind: 'sent' }],
    ['200 with text that is no JSON is sent', answerWith(200, 'queued!'), { kind: 'sent' }],
    ['200 with broken JSON is sent', answerWith(200, '{"id":'), { kind: 'sent' }],
    [
      '200 with an id too long to keep is sent without it',
      answerWith(200, `{"id":"${'x'.repeat(300)}"}`),
      { kind: 'sent' },
    ],
    [
      '200 with a body too large to read is sent',
      answerWith(200, `{"id":"${'x'.repeat(100_000)}"}`),
      { kind: 'sent' },
    ],
    [
      '200 whose body breaks off is sent',
      (socket) => socket.end('HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{'),
      { kind: 'sent' },
    ],
    [
      '103 and then 200 is sent',
      (socket) => socket.write(`HTTP/1.1 103 X\r\n\r\n${httpAnswer(200, '{"id":"a"}')}`),
      { kind: 'sent', providerRef: 'a' },
    ],
    ['429 is tried again', answerWith(429, ''), { kind: 'retry', error: { code: 'rate_limited' } }],
    [
      '429 for 7 seconds is tried again after them',
      answerWith(429, '', { 'Retry-After': '7' }),
      { kind: 'retry', retryAfterMs: 7_000 },
    ],
    [
      '429 for a week is tried again within the limit',
      answerWith(429, '', { 'retry-after': '604800' }),
      { kind: 'retry', retryAfterMs: retryAfterMsMax },
    ],
    [
      '503 until a date of the past is tried again at once',
      answerWith(503, '', { 'retry-after': 'Sun, 06 Nov 1994 08:49:37 GMT' }),
      { kind: 'retry', retryAfterMs: 0 },
    ],
    [
      '503 with a Retry-After that says nothing is tried again',
      answerWith(503, '', { 'retry-after': 'soon' }),
      { kind: 'retry', error: { code: 'provider_unavailable' } },
    ],
    ['408 is uncertain', answerWith(408, ''), { kind: 'uncertain', error: { code: 'provider_error' } }],
    ['425 is uncertain', answerWith(425, ''), { kind: 'uncertain' }],
    [
      '500 is uncertain',
      answerWith(500, 'oops'),
      { kind: 'uncertain', error: { detail: expect.stringContaining('HTTP 500: oops') } },
    ],
    ['504 is uncertain', answerWith(504, ''), { kind: 'uncertain' }],
    ['400 is rejected', answerWith(400, ''), { kind: 'rejected', error: { code: 'provider_rejected' } }],
    [
      '401 is of the route and is tried again',
      answerWith(401, '{"code":"bad_key"}'),
      {
        kind: 'retry',
        error: {
          code: 'credentials_refused',
          detail: expect.stringContaining('HTTP 401: {"code":"bad_key"}'),
        },
      },
    ],
    [
      '402 is of the route and is tried again',
      answerWith(402, ''),
      { kind: 'retry', error: { code: 'credit_exhausted' } },
    ],
    ['403 is rejected', answerWith(403, ''), { kind: 'rejected', error: { code: 'provider_rejected' } }],
    [
      '422 with a code is rejected with that code',
      answerWith(422, '{"error":{"code":"badNumber"}}'),
      { kind: 'rejected', error: { code: 'bad_number' } },
    ],
    [
      '404 with a page of HTML is rejected with a short detail',
      answerWith(404, '<p>\n'.repeat(4_000)),
      { kind: 'rejected' },
    ],
    [
      'a reset after the request is uncertain',
      (socket) => socket.resetAndDestroy(),
      { kind: 'uncertain', error: { code: 'connection_lost' } },
    ],
    [
      'an end without an answer is uncertain',
      (socket) => socket.end(),
      { kind: 'uncertain', error: { code: 'connection_lost' } },
    ],
    [
      'an end amid the headers is uncertain',
      (socket) => socket.end('HTTP/1.1 200 X\r\ncontent-le'),
      { kind: 'uncertain' },
    ],
    [
      'bytes that are no HTTP are uncertain',
      (socket) => socket.write('hello\r\n\r\n'),
      { kind: 'uncertain', error: { code: 'response_malformed' } },
    ],
    [
      'headers without end are uncertain',
      (socket) => socket.write(`HTTP/1.1 200 X\r\nx: ${'y'.repeat(64_000)}`),
      { kind: 'uncertain', error: { code: 'response_too_large' } },
    ],
    [
      'an upgrade nobody asked for is uncertain',
      (socket) => socket.write('HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
      { kind: 'uncertain' },
    ],
  ])('%s', async (_, script, expected) => {
    const [answer] = await answersTo(script);
    expect(answer).toMatchObject(expected);
    if (answer!.kind === 'sent') expect(answer).toEqual(expected);
    else expect(answer!.error.detail.length).toBeLessThanOrEqual(500);
  });

  it('a date in Retry-After counts from now', async () => {
    const inMs = 60_000;
    const at = new Date(Date.now() + inMs).toUTCString();
    const [answer] = await answersTo(answerWith(503, '', { 'retry-after': at }));
    const { retryAfterMs } = answer as { retryAfterMs: number };
    expect(retryAfterMs).toBeGreaterThan(inMs - 10_000);
    expect(retryAfterMs).toBeLessThanOrEqual(inMs);
  });

  it('a redirect is rejected and not followed', async () => {
    const elsewhere = await provide(answerWith(200, '{}'));
    for (const status of [301, 302, 307, 308]) {
      const [answer] = await answersTo(answerWith(status, '', { location: elsewhere.url }));
      expect(answer).toMatchObject({ kind: 'rejected', error: { code: 'redirect_refused' } });
    }
    expect(elsewhere.requests).toEqual([]);
  });

  it('a provider that never answers is uncertain', async () => {
    const [answer] = await answersTo(() => {}, { timeoutMs: 500 });
    expect(answer).toMatchObject({ kind: 'uncertain', error: { code: 'provider_timeout' } });
  });

  it('a status that came in time counts, however slowly its body drips', async () => {
    const [answer] = await answersTo(
      (socket) => drip(socket, 'HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n'),
      { timeoutMs: 1_000 },
    );
    expect(answer).toEqual({ kind: 'sent' });
  });

  it('headers that drip past the timeout are uncertain', async () => {
    const [answer] = await answersTo((socket) => drip(socket, 'HTTP/1.1 200 X\r\nx: '), { timeoutMs: 500 });
    expect(answer).toMatchObject({ kind: 'uncertain', error: { code: 'provider_timeout' } });
  });

  it('a slow answer within the timeout is sent', async () => {
    const answer = answerWith(200, '{}');
    const [sent] = await answersTo((socket, ...rest) => void setTimeout(() => answer(socket, ...rest), 200));
    expect(sent).toEqual({ kind: 'sent' });
  });
});

describe('what is posted', () => {
  const message: OutgoingMessage = {
    id: '0190b3e8-0000-7000-8000-000000000001',
    key: '0190b3e8-0000-7000-8000-000000000001.2',
    accountId: 1,
    attempt: 3,
    fields: {
      to: '+31612345678',
      from: 'Café',
      body: 'Zoë 👋',
      subject: 's',
      ref: 'r',
      metadata: { a: [1] },
      tags: ['t'],
    },
  };

  it('is the message with its id, and its key in a header', async () => {
    const provider = await provide(answerWith(200, '{}'));
    const headers = { Authorization: 'Bearer secret', 'User-Agent': 'mine' };
    await openSender({ url: `${provider.url}?a=b%20c`, headers }).send([message], terms);
    const [request] = provider.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/send?a=b%20c' });
    expect(request!.headers).toMatchObject({
      authorization: 'Bearer secret',
      'user-agent': 'mine',
      'content-type': 'application/json',
      'idempotency-key': message.key,
    });
    expect(JSON.parse(request!.body)).toEqual({ id: message.id, ...message.fields });
  });

  it('follows a template', async () => {
    const provider = await provide(answerWith(200, '{}'));
    const bodyTemplate = {
      msisdn: '{{to}}',
      text: 'From {{from}}: {{body}}',
      first: '{{metadata.a}}',
      none: '{{html}}',
    };
    await openSender({ url: provider.url, bodyTemplate }).send([message], terms);
    expect(JSON.parse(provider.requests[0]!.body)).toEqual({
      msisdn: '+31612345678',
      text: 'From Café: Zoë 👋',
      first: [1],
    });
  });

  it('is a list in a batch, with the key where it is not the id', async () => {
    const provider = await provide(answerWith(200, '{}'));
    const [plain] = outgoing(1);
    await openSender({ url: provider.url, batch: { max: 2 } }).send([plain!, message], terms);
    expect(JSON.parse(provider.requests[0]!.body)).toEqual({
      messages: [
        { id: plain!.id, ...plain!.fields },
        { id: message.id, ...message.fields, idempotencyKey: message.key },
      ],
    });
  });
});

describe('what a provider answers to a batch', () => {
  const batch = { batch: { max: 500 } };
  const messages = outgoing(6);
  const id = (n: number) => messages[n]!.id;

  it('is read by id, and each result has its meaning', async () => {
    const results = [
      { id: id(2), status: 'retry', error: { code: 'slowDown', detail: 'later' } },
      { id: id(0), status: 'sent', providerRef: 'p-0' },
      { id: 'nobody', status: 'sent' },
      { id: id(1), status: 'failed', error: 'no such number' },
      { id: id(0), status: 'failed' },
      { id: id(3), status: 'perhaps' },
      null,
      { id: id(4), status: 'sent' },
    ];
    expect(await answersTo(answerWith(200, JSON.stringify({ results })), batch, messages)).toMatchObject([
      { kind: 'sent', providerRef: 'p-0' },
      {
        kind: 'rejected',
        error: { code: 'provider_rejected', detail: expect.stringContaining('no such number') },
      },
      { kind: 'retry', error: { code: 'slow_down' } },
      { kind: 'uncertain', error: { code: 'response_malformed' } },
      { kind: 'sent' },
      { kind: 'uncertain', error: { code: 'result_missing' } },
    ]);
  });

  it.each<[string, Script, string, string]>([
    ['429', answerWith(429, ''), 'retry', 'rate_limited'],
    ['503', answerWith(503, ''), 'retry', 'provider_unavailable'],
    ['500', answerWith(500, ''), 'uncertain', 'provider_error'],
    ['400', answerWith(400, ''), 'rejected', 'provider_rejected'],
    ['401', answerWith(401, ''), 'retry', 'credentials_refused'],
    ['200 with broken JSON', answerWith(200, '{"results":['), 'uncertain', 'response_malformed'],
    ['200 without results', answerWith(200, '{}'), 'uncertain', 'response_malformed'],
    [
      '200 with too large an answer',
      answerWith(200, ' '.repeat(1_100_000)),
      'uncertain',
      'response_too_large',
    ],
    [
      '200 that breaks off',
      (socket) => socket.end('HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{'),
      'uncertain',
      'connection_lost',
    ],
  ])('%s holds for every message', async (_, script, kind, code) => {
    const answers = await answersTo(script, batch, messages);
    expect(answers).toHaveLength(messages.length);
    for (const answer of answers) expect(answer).toMatchObject({ kind, error: { code } });
  });
});

function drip(socket: { write(text: string): boolean; destroyed: boolean }, head: string): void {
  socket.write(head);
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write('x')), 10);
}
