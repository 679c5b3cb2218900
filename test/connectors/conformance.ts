import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import type { Connector, Sender } from '../../src/connectors/connector.ts';
import type { MessageFields } from '../../src/message/fields.ts';
import { outgoing } from './outgoing.ts';

/** A provider of the connector's protocol that does one thing with all that it gets. */
export interface ConformanceProvider {
  options: Record<string, unknown>;
  /** What messages to it have; by default a number and a text. */
  fields?: MessageFields;
  /** Ids of the messages that it has read, in order, repeats included. */
  receivedIds(): string[];
  /** Resolves when it has read `n` requests. */
  received(n: number): Promise<void>;
  connectionsOpenMax(): number;
  /** Of an answer without end, the bytes that were taken when the sender hung up. */
  answerTaken(): Promise<number>;
  stop(): Promise<void>;
}

/**
 * `take` accepts; `busy` refuses for now; `slow-down` does so for seven seconds; `refuse` refuses for good; `fail` tells an
 * error of its own; `hang` reads and never answers; `endless` accepts with a body without end; `cut` reads and breaks the
 * connection; `cut-once` does so with the first request and accepts the rest.
 */
export type ProviderConduct =
  | 'take'
  | 'busy'
  | 'slow-down'
  | 'refuse'
  | 'fail'
  | 'hang'
  | 'endless'
  | 'cut'
  | 'cut-once';

/** What a sender that hangs up has read, with what both ends of a connection buffer: the kernel's limits are some MiB. */
const takenBytesMax = 32 * 1_048_576;

export interface ConnectorUnderTest {
  connector: Connector;
  /** Options make timeouts of about `timeoutMs`. */
  startProvider(conduct: ProviderConduct, timeoutMs: number): Promise<ConformanceProvider>;
  /** Options of a provider that nobody can connect to, and what messages to it have. */
  unreachable(): Promise<Pick<ConformanceProvider, 'options' | 'fields'>>;
  /** What an error of the provider's own says of a message; by default that nobody knows. */
  failed?: 'uncertain' | 'retry';
}

/** What `connectors/connector.ts` promises, held against a connector with real sockets. */
export function describeConnector(title: string, subject: ConnectorUnderTest): void {
  const { connector } = subject;
  const started: { stop(): Promise<void> }[] = [];
  const may = () => true;
  const signal = () => new AbortController().signal;

  async function open(conduct: ProviderConduct, { timeoutMs = 5_000, concurrency = 4 } = {}) {
    const provider = await subject.startProvider(conduct, timeoutMs);
    const sender = openSender(provider, concurrency);
    started.push(provider);
    return { provider, sender };
  }

  const fieldsOf = new WeakMap<Sender, MessageFields>();

  function openSender(
    { options, fields }: Pick<ConformanceProvider, 'options' | 'fields'>,
    concurrency: number,
  ) {
    const sender = connector.open({ options, concurrency });
    if (fields !== undefined) fieldsOf.set(sender, fields);
    started.push({ stop: () => sender.close() });
    return sender;
  }

  const messagesFor = (sender: Sender, count: number) => {
    const fields = fieldsOf.get(sender);
    return outgoing(count).map((message) => (fields === undefined ? message : { ...message, fields }));
  };

  const sendOne = async (sender: Sender, given = signal(), mayBegin = may) =>
    (await sender.send(messagesFor(sender, 1), { signal: given, mayBegin }))[0]!;

  afterEach(async () => {
    // Providers first, so that no sender waits for an answer that will not come.
    for (const thing of started.splice(0).reverse()) await thing.stop();
  }, 10_000);

  describe(title, { timeout: 10_000 }, () => {
    it('accepts the options that it is opened with and names an unknown one by its pointer', async () => {
      const { provider } = await open('take');
      expect(connector.check(provider.options)).toEqual([]);
      expect(connector.check({ ...provider.options, 'no/such': 1 })).toMatchObject([
        { pointer: '/no~1such', code: 'unknown_field' },
      ]);
    });

    it('answers for every message of a full request, in order', async () => {
      const { provider, sender } = await open('take');
      const messages = messagesFor(sender, sender.batchMax);
      const answers = await sender.send(messages, { signal: signal(), mayBegin: may });
      expect(answers.map(({ kind }) => kind)).toEqual(messages.map(() => 'sent'));
      expect(provider.receivedIds()).toEqual(messages.map(({ id }) => id));
    });

    it('tells a refusal for now from a refusal for good', async () => {
      const { sender: busy } = await open('busy');
      const { sender: refusing } = await open('refuse');
      expect(await sendOne(busy)).toMatchObject({
        kind: 'retry',
        error: { code: expect.stringMatching(/^[a-z0-9_]+$/) },
      });
      expect(await sendOne(refusing)).toMatchObject({
        kind: 'rejected',
        error: { detail: expect.any(String) },
      });
    });

    it('tells the pace that the provider asks for', async () => {
      const { sender } = await open('slow-down');
      expect(await sendOne(sender)).toMatchObject({ kind: 'retry', retryAfterMs: 7_000 });
    });

    it('tells an error of the provider from a refusal', async () => {
      const { sender } = await open('fail');
      expect(await sendOne(sender)).toMatchObject({ kind: subject.failed ?? 'uncertain' });
    });

    it('reads no answer without end', async () => {
      const { provider, sender } = await open('endless');
      expect(['sent', 'uncertain']).toContain((await sendOne(sender)).kind);
      expect(await provider.answerTaken()).toBeLessThan(takenBytesMax);
    });

    it('lets a bounded number of sends wait for a connection, and gives the others back at once', async () => {
      const { provider, sender } = await open('hang', { concurrency: 1, timeoutMs: 60_000 });
      const controller = new AbortController();
      const sending = Array.from({ length: 200 }, () => sendOne(sender, controller.signal));
      await provider.received(1);
      const back = await Promise.race(sending.slice(-1));
      expect(back).toMatchObject({ kind: 'retry', error: { code: expect.any(String) } });
      controller.abort();
      expect((await Promise.all(sending)).filter(({ kind }) => kind === 'uncertain')).toHaveLength(1);
      expect(provider.receivedIds()).toHaveLength(1);
    });

    it('answers retry when no connection can be made', async () => {
      const sender = openSender(await subject.unreachable(), 1);
      expect(await sendOne(sender)).toMatchObject({ kind: 'retry' });
    });

    it('answers uncertain when the connection breaks after the send, and never sends again by itself', async () => {
      const { provider, sender } = await open('cut');
      expect(await sendOne(sender)).toMatchObject({ kind: 'uncertain' });
      await sender.close();
      expect(provider.receivedIds()).toHaveLength(1);
    });

    it('goes on with a new connection after a broken one', async () => {
      const { sender } = await open('cut-once', { concurrency: 1 });
      const [first, second] = await Promise.all([sendOne(sender), sendOne(sender)]);
      expect([first.kind, second.kind]).toEqual(['uncertain', 'sent']);
    });

    it('answers uncertain when the provider stays silent', async () => {
      const { sender } = await open('hang', { timeoutMs: 100 });
      expect(await sendOne(sender)).toMatchObject({ kind: 'uncertain' });
    });

    it('answers retry and sends nothing when it was aborted before', async () => {
      const { provider, sender } = await open('take');
      expect(await sendOne(sender, AbortSignal.abort())).toMatchObject({ kind: 'retry' });
      const controller = new AbortController();
      const sending = sendOne(sender, controller.signal);
      controller.abort();
      expect(await sending).toMatchObject({ kind: 'retry' });
      await sender.close();
      expect(provider.receivedIds()).toEqual([]);
    });

    it('asks whether it may begin when nothing is left to wait for, and sends nothing when it may not', async () => {
      const { provider, sender } = await open('take');
      const terms = { allowed: true };
      const sending = sendOne(sender, signal(), () => terms.allowed);
      // What was allowed when the connection was asked for is not when it is there.
      terms.allowed = false;
      const refused = { kind: 'retry', error: { code: 'not_begun' } };
      expect(await sending).toMatchObject(refused);
      expect(await sendOne(sender, signal(), () => false)).toMatchObject(refused);
      expect(provider.receivedIds()).toEqual([]);
      expect(await sendOne(sender)).toMatchObject({ kind: 'sent' });
    });

    it('asks the sends that wait for a connection as well, and one it may not begin holds up no other', async () => {
      const { provider, sender } = await open('take', { concurrency: 1 });
      const terms = { allowed: true };
      const [first, ...waiting] = Array.from({ length: 4 }, () =>
        sendOne(sender, signal(), () => terms.allowed),
      );
      const last = sendOne(sender);
      await provider.received(1);
      terms.allowed = false;
      expect(await first).toMatchObject({ kind: 'sent' });
      for (const one of waiting) {
        expect(await one).toMatchObject({ kind: 'retry', error: { code: 'not_begun' } });
      }
      expect(await last).toMatchObject({ kind: 'sent' });
      expect(provider.receivedIds()).toHaveLength(2);
    });

    it('answers uncertain when it is aborted after the send has begun', async () => {
      const { provider, sender } = await open('hang');
      const controller = new AbortController();
      const sending = sendOne(sender, controller.signal);
      await provider.received(1);
      controller.abort();
      expect(await sending).toMatchObject({ kind: 'uncertain' });
    });

    it('aborts only the sends of the signal', async () => {
      const { provider, sender } = await open('hang', { concurrency: 2 });
      const controller = new AbortController();
      const aborted = sendOne(sender, controller.signal);
      let otherEnded = false;
      const other = sendOne(sender).finally(() => {
        otherEnded = true;
      });
      await provider.received(2);
      controller.abort();
      await aborted;
      expect(otherEnded).toBe(false);
      await provider.stop();
      expect(await other).toMatchObject({ kind: 'uncertain' });
    });

    it('never opens more connections than its concurrency, and serves the sends that wait', async () => {
      const { provider, sender } = await open('take', { concurrency: 3 });
      const answers = await Promise.all(Array.from({ length: 30 }, () => sendOne(sender)));
      expect(answers.every(({ kind }) => kind === 'sent')).toBe(true);
      expect(provider.connectionsOpenMax()).toBeLessThanOrEqual(3);
    });

    it('does not pile up listeners on the signals it is given', async () => {
      const { sender } = await open('take');
      const shared = signal();
      const others = Array.from({ length: 50 }, signal);
      for (const other of others) await Promise.all([sendOne(sender, shared), sendOne(sender, other)]);
      expect(getEventListeners(shared, 'abort').length).toBeLessThanOrEqual(1);
      await sender.close();
      for (const one of [shared, ...others]) expect(getEventListeners(one, 'abort')).toEqual([]);
    });

    it('closes after the requests in flight, twice without harm, and then answers retry', async () => {
      const { sender } = await open('take', { concurrency: 1 });
      const sending = Promise.all([sendOne(sender), sendOne(sender), sendOne(sender)]);
      await Promise.all([sender.close(), sender.close()]);
      expect((await sending).map(({ kind }) => kind)).toEqual(['sent', 'sent', 'sent']);
      await sender.close();
      expect(await sendOne(sender)).toMatchObject({ kind: 'retry' });
    });
  });
}
