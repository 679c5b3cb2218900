import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer } from '../../src/connectors/connector.ts';
import { closeSenders, openSender, provide, stopLater, terms } from './open-sender.ts';
import { outgoing } from './outgoing.ts';
import { answerWith, httpAnswer, type Script, startProvider } from './scripted-provider.ts';

afterEach(closeSenders);

describe('a request that never leaves is tried again', () => {
  const sendTo = async (options: Record<string, unknown>) =>
    (await openSender(options).send(outgoing(1), terms))[0];

  it('when the name does not resolve', async () => {
    const answer = await sendTo({ url: 'http://no-such-host.invalid/', timeoutMs: 8_000 });
    expect(answer).toMatchObject({ kind: 'retry', error: { code: 'dns_failure' } });
  });

  it('when the connection is refused', async () => {
    const provider = await startProvider(() => {});
    await provider.stop();
    expect(await sendTo({ url: provider.url })).toMatchObject({
      kind: 'retry',
      error: { code: 'connection_refused' },
    });
  });

  it('each of those that waited for the one connection that is refused', async () => {
    const provider = await startProvider(() => {});
    await provider.stop();
    const sender = openSender({ url: provider.url });
    const answers = await Promise.all(outgoing(4).map((message) => sender.send([message], terms)));
    expect(answers.flat().map((answer) => answer.kind)).toEqual(['retry', 'retry', 'retry', 'retry']);
    for (const [answer] of answers) expect(answer).toMatchObject({ error: { code: 'connection_refused' } });
  });

  it('when the provider speaks no TLS', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('not a handshake'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    stopLater(async () => void server.close());
    const { port } = server.address() as { port: number };
    expect(await sendTo({ url: `https://127.0.0.1:${port}/` })).toMatchObject({
      kind: 'retry',
      error: { code: 'tls_failure' },
    });
  });

  it.each(['http:', 'https:'])(
    'when the provider resets it before it read anything of %s',
    async (protocol) => {
      const provider = await provide(answerWith(200, '{}'), (socket) => socket.resetAndDestroy());
      expect(await sendTo({ url: provider.url.replace('http:', protocol) })).toMatchObject({
        kind: 'retry',
        error: { code: 'connection_failed' },
      });
      expect([provider.connections.accepted, provider.requests.length]).toEqual([1, 0]);
    },
  );

  it('when the handshake never ends', async () => {
    const provider = await provide(() => {});
    const answer = await sendTo({ url: provider.url.replace('http:', 'https:'), timeoutMs: 500 });
    expect(answer).toMatchObject({ kind: 'retry', error: { code: 'connect_timeout' } });
  });

  it('when the address is private and the route does not allow that', async () => {
    const provider = await provide(answerWith(200, '{}'));
    const answer = await sendTo({ url: `http://localhost:${provider.port}/`, allowPrivate: false });
    expect(answer).toMatchObject({ kind: 'retry', error: { code: 'address_not_allowed' } });
    expect(provider.connections.accepted).toBe(0);
  });
});

describe('connections', () => {
  it('are kept for the next request', async () => {
    const provider = await provide(answerWith(200, '{}'));
    const sender = openSender({ url: provider.url });
    for (let n = 0; n < 20; n++) expect(await sender.send(outgoing(1), terms)).toEqual([{ kind: 'sent' }]);
    expect(provider.connections.accepted).toBe(1);
  });

  it('are kept when a send may not begin on them, new or used', async () => {
    const provider = await provide(answerWith(200, '{}'));
    const sender = openSender({ url: provider.url });
    for (let n = 0; n < 3; n++) {
      expect(await sender.send(outgoing(1), { ...terms, mayBegin: () => false })).toMatchObject([
        { kind: 'retry', error: { code: 'not_begun' } },
      ]);
      expect(await sender.send(outgoing(1), terms)).toEqual([{ kind: 'sent' }]);
    }
    expect(provider.requests).toHaveLength(3);
    expect(provider.connections.accepted).toBe(1);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['closed', (socket) => socket.end()],
    ['reset', (socket) => socket.resetAndDestroy()],
  ])('that were %s while idle cost no message its certainty', async (_, leave) => {
    let last: Socket | undefined;
    const provider = await provide((socket) => {
      last = socket;
      socket.write(httpAnswer(200, '{}'));
    });
    const bystander = await provide(answerWith(200, '{}'));
    const sender = openSender({ url: provider.url });
    for (let n = 0; n < 10; n++) {
      const [answer] = await sender.send(outgoing(1), terms);
      expect(answer!.kind).not.toBe('uncertain');
      leave(last!);
      // By the time another round trip is over, the news of the lost connection has come too.
      await fetch(bystander.url).then((reply) => reply.text());
    }
  });

  it.each<[string, Script, Answer['kind']]>([
    ['said too much', answerWith(200, 'x'.repeat(1_000_000)), 'sent'],
    ['spoke no HTTP', (socket) => socket.write('hello\r\n\r\n'), 'uncertain'],
  ])(
    'on which a provider %s are given up, and the sends that waited get new ones',
    async (_, script, kind) => {
      const fine = answerWith(200, '{}');
      const provider = await provide((socket, request, n) => (n === 1 ? script : fine)(socket, request, n));
      const sender = openSender({ url: provider.url, timeoutMs: 5_000 });
      const answers = await Promise.all(outgoing(4).map((message) => sender.send([message], terms)));
      expect(answers.flat().map((answer) => answer.kind)).toEqual([kind, 'sent', 'sent', 'sent']);
      expect(provider.requests).toHaveLength(4);
      expect(provider.connections.accepted).toBe(2);
    },
  );

  it('on which a provider stayed silent are given up, and the next send gets a new one', async () => {
    const fine = answerWith(200, '{}');
    const provider = await provide((socket, request, n) => (n === 1 ? undefined : fine(socket, request, n)));
    const sender = openSender({ url: provider.url, timeoutMs: 1_000 });
    expect(await sender.send(outgoing(1), terms)).toMatchObject([{ kind: 'uncertain' }]);
    expect(await sender.send(outgoing(1), terms)).toEqual([{ kind: 'sent' }]);
    expect(provider.requests).toHaveLength(2);
  });

  it('have a limit on the sends that wait for them', async () => {
    const provider = await provide(() => {});
    const sender = openSender({ url: provider.url, timeoutMs: 200 });
    const answers = (await Promise.all(outgoing(100).map((message) => sender.send([message], terms)))).flat();
    const busy = answers.filter((answer) => answer.kind === 'retry' && answer.error.code === 'sender_busy');
    expect(busy.length).toBeGreaterThan(100 - 20);
    expect(answers[0]!.kind).toBe('uncertain');
  });

  it('that a provider announces to close are not used again', async () => {
    const provider = await provide((socket) => socket.end(httpAnswer(200, '{}', { connection: 'close' })));
    const sender = openSender({ url: provider.url });
    for (let n = 0; n < 10; n++) expect(await sender.send(outgoing(1), terms)).toEqual([{ kind: 'sent' }]);
    expect(provider.connections.accepted).toBe(10);
  });
});
