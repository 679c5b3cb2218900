import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventWebhook } from '@sendgrid/eventwebhook';
import { afterEach, describe, expect, it } from 'vitest';
import type { ReceiptReading } from '../../../src/connectors/connector.ts';
import { httpConnector } from '../../../src/connectors/http/http-connector.ts';
import { presets } from '../../../src/connectors/http/preset-catalogue.ts';
import { closeSenders, openSender, provide, stopLater, terms } from '../open-sender.ts';
import { outgoing } from '../outgoing.ts';
import { answerWith } from '../scripted-provider.ts';
import { emailExamples, sendgridKeys } from './email-examples.ts';
import {
  type ExampleCallback,
  type ExampleReply,
  id,
  key,
  type ProviderExample,
} from './provider-example.ts';
import { smsExamples } from './sms-examples.ts';

afterEach(closeSenders);

const examples = [...smsExamples, ...emailExamples];

/** What a message of the example becomes when the simulator answers `reply`, and what it got. */
async function sendTo(example: ProviderExample, reply: ExampleReply) {
  const body = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? '');
  const provider = await provide(
    answerWith(reply.status, reply.body === undefined ? '' : body, reply.headers),
  );
  const sender = openSender({
    preset: example.preset,
    ...example.options,
    url: new URL(provider.url).origin,
  });
  const message = { id, key, accountId: 1, attempt: 1, fields: example.fields };
  const [answer] = await sender.send([message], terms);
  return { answer, request: provider.requests[0]!, sender };
}

/** What the connector reads when the provider calls over HTTP, or somebody who forged its callback. */
async function receive(
  example: ProviderExample,
  body: string,
  { query = '', forge }: { query?: string; forge?: (callback: ExampleCallback) => ExampleCallback } = {},
): Promise<ReceiptReading> {
  const options = { preset: example.preset, ...example.options };
  let reading: ReceiptReading | undefined;
  let url = '';
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method, headers } = request;
    const at = { nowMs: Date.now() };
    reading = httpConnector.readReceipts!(
      options,
      { method: method!, url, headers: headers as Record<string, string>, body: Buffer.concat(parts) },
      at,
    );
    response.end();
  }).listen(0, '127.0.0.1');
  stopLater(async () => void server.close());
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/receipts/x${query}`;
  const signed = example.sign({ url, body });
  await fetch(url, { method: 'POST', ...(forge === undefined ? signed : forge(signed)) });
  return reading!;
}

it('every preset is in the table', () => {
  expect(examples.map(({ preset }) => preset).sort()).toEqual([...presets.keys()].sort());
});

describe('a sender of SendGrid', () => {
  const example = emailExamples.find(({ preset }) => preset === 'sendgrid')!;
  const sentFrom = async (from: string) => {
    const { request } = await sendTo({ ...example, fields: { ...example.fields, from } }, { status: 202 });
    return JSON.parse(request.body.toString()).from;
  };

  it.each([
    ['mill@example.org', { email: 'mill@example.org' }],
    [' "Mill" < mill@example.org> ', { email: ' mill@example.org', name: 'Mill' }],
    ['"Mill <mill@example.org>', { email: 'mill@example.org', name: 'Mill' }],
    ['<mill@example.org>', { email: 'mill@example.org' }],
    ['a "b" c <mill@example.org>', { email: 'a "b" c <mill@example.org>' }],
    ['Mill <mill@example.org> x', { email: 'Mill <mill@example.org> x' }],
    ['a <b <c>', { email: 'a <b <c>' }],
    ['Mill <>', { email: 'Mill <>' }],
  ])('is %j as name and address', async (from, expected) => {
    expect(await sentFrom(from)).toEqual(expected);
  });

  it('is taken apart at once, whatever it holds', () => {
    const { message } = presets.get('sendgrid')!;
    const from = `${' '.repeat(511)}x`;
    // One took 70 ms.
    const hostile = { id, key, accountId: 1, attempt: 1, fields: { ...example.fields, from } };
    for (let n = 0; n < 1_000; n++) message(hostile, example.options);
  });
});

describe.each(examples)('the preset $preset', (example) => {
  const { preset, options, posted, sent, refusals, receipts } = example;

  it('takes its options, and each of them may be asked for by its name', () => {
    expect(httpConnector.check({ preset, ...options })).toEqual([]);
    for (const name of Object.keys(options)) expect(httpConnector.optionSchemas).toHaveProperty(name);
    expect(httpConnector.check({ preset, ...options, headers: {} })).toMatchObject([
      { pointer: '/headers', code: 'unknown_field' },
    ]);
  });

  it('posts a message as documented, with its key, and keeps the id of the answer', async () => {
    const { answer, request } = await sendTo(example, sent);
    expect(answer).toEqual({ kind: 'sent', providerRef: sent.providerRef });
    expect(request).toMatchObject({ method: 'POST', path: posted.path });
    expect(request.headers).toMatchObject(posted.headers);
    expect(posted.read(request)).toEqual(posted.body);
  });

  it('does not take a page that a proxy answers for the word of the provider', async () => {
    const page = { status: 200, body: '<html>Back soon</html>', headers: { 'content-type': 'text/html' } };
    const answer = { kind: 'uncertain', error: { code: 'response_malformed' } };
    expect((await sendTo(example, page)).answer).toMatchObject(answer);
  });

  it.each(refusals)('reads %s', async (_, reply, expected) => {
    expect((await sendTo(example, reply)).answer).toMatchObject(expected);
  });

  it.each(receipts)('reads the receipt of %s', async (_, body, expected, query) => {
    expect(await receive(example, body, { ...(query !== undefined && { query }) })).toMatchObject(expected);
  });

  it('refuses a receipt whose proof is missing or wrong, and quotes no secret', async () => {
    const [, body] = receipts[0]!;
    const bare = (callback: ExampleCallback) => ({ ...callback, headers: {} });
    const reading = await receive(example, body, { forge: example.forge ?? bare });
    expect(reading).toMatchObject({ kind: 'refused', status: 403, detail: expect.any(String) });
    for (const secret of Object.values(options)) expect(JSON.stringify(reading)).not.toContain(secret);
    // What signs the body in its headers signs no other body.
    if (example.forge !== undefined || preset === 'postmark') return;
    const changed = await receive(example, body, {
      forge: (callback) => ({ ...callback, body: `${body} ` }),
    });
    expect(changed).toMatchObject({ kind: 'refused', status: 403 });
  });

  it('names what is wrong with an option, and does not quote it', () => {
    const wrong = Object.fromEntries(Object.keys(options).map((name) => [name, 'hunter2\u0007']));
    const problems = httpConnector.check({ preset, ...wrong });
    expect(problems.map(({ pointer }) => pointer).sort()).toEqual(
      Object.keys(wrong)
        .map((name) => `/${name}`)
        .sort(),
    );
    expect(JSON.stringify(problems)).not.toContain('hunter2');
    const required = httpConnector.check({ preset });
    expect(required.length).toBeGreaterThan(0);
    for (const one of required)
      expect(one).toMatchObject({ code: 'required', pointer: expect.stringMatching(/^\/\w+$/) });
  });

  it('refuses a message that lacks what the provider needs, without a request', async () => {
    const { sender } = await sendTo(example, sent);
    const bare = { id, key, accountId: 1, attempt: 1, fields: { to: example.fields.to } };
    const [answer] = await sender.send([bare], terms);
    expect(answer).toMatchObject({
      kind: 'rejected',
      error: { code: 'request_invalid', detail: expect.stringContaining('the message has no') },
    });
  });
});

it('a preset that does not exist is told with those that do', () => {
  expect(httpConnector.check({ preset: 'pigeon' })).toMatchObject([
    { pointer: '/preset', detail: expect.stringContaining('twilio') },
  ]);
});

it('the url of a preset is a base without a query, on an address that is allowed', () => {
  const { preset, options } = smsExamples[0]!;
  const check = (url: string) => httpConnector.check({ preset, ...options, url });
  expect(check('https://eu.provider.example/')).toEqual([]);
  expect(check('https://provider.example/?a=b')).toMatchObject([{ pointer: '/url' }]);
  expect(check('http://127.0.0.1/')).toMatchObject([{ pointer: '/url', code: 'address_not_allowed' }]);
});

it('a message of a batch that cannot be formed is told so by itself, and the others leave', async () => {
  const example = emailExamples.find(({ preset }) => preset === 'postmark')!;
  const provider = await provide((socket, request, n) => {
    const results = (JSON.parse(request.body) as object[]).map((_, at) => ({
      ...{ ErrorCode: 0, MessageID: `ref-${at}` },
    }));
    answerWith(200, JSON.stringify(results))(socket, request, n);
  });
  const sender = openSender({ preset: 'postmark', ...example.options, url: new URL(provider.url).origin });
  const { subject: _, ...bare } = example.fields;
  const messageOf = (n: number, fields: object) => ({
    ...outgoing(4)[n]!,
    fields: fields as typeof example.fields,
  });
  const messages = [example.fields, bare, example.fields, bare].map((fields, n) => messageOf(n, fields));
  const unformed = {
    kind: 'rejected',
    error: { code: 'request_invalid', detail: expect.stringContaining('subject') },
  };
  expect(await sender.send(messages, terms)).toEqual([
    { kind: 'sent', providerRef: 'ref-0' },
    unformed,
    { kind: 'sent', providerRef: 'ref-1' },
    unformed,
  ]);
  expect(provider.requests).toHaveLength(1);
  expect(await sender.send([messages[1]!, messages[3]!], terms)).toEqual([unformed, unformed]);
  expect(provider.requests).toHaveLength(1);
});

it('Postmark tells each message of a batch its own answer, in their order', async () => {
  const example = emailExamples.find(({ preset }) => preset === 'postmark')!;
  const results = [
    { ErrorCode: 0, MessageID: 'p0' },
    { ErrorCode: 300, Message: "Invalid 'To' address." },
    { ErrorCode: 100, Message: 'Maintenance' },
  ];
  const provider = await provide(answerWith(200, JSON.stringify(results)));
  const sender = openSender({ preset: 'postmark', ...example.options, url: new URL(provider.url).origin });
  expect(sender.batchMax).toBe(500);
  const messages = outgoing(4).map((message) => ({ ...message, fields: example.fields }));
  expect(await sender.send(messages, terms)).toMatchObject([
    { kind: 'sent', providerRef: 'p0' },
    { kind: 'rejected', error: { code: '300' } },
    { kind: 'retry', error: { code: '100' } },
    { kind: 'uncertain', error: { code: 'result_missing' } },
  ]);
});

it("takes Twilio's own example of a signed request", () => {
  const form =
    'CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212';
  const read = (signature: string) =>
    httpConnector.readReceipts!(
      { preset: 'twilio', accountSid: `AC${'0'.repeat(32)}`, authToken: '12345' },
      {
        method: 'POST',
        url: 'https://mycompany.com/myapp.php?foo=1&bar=2',
        headers: { 'x-twilio-signature': signature },
        body: Buffer.from(form),
      },
      { nowMs: 0 },
    );
  expect(read('RSOYDt4T1cUTdK1PDd93/VVr8B8=')).toMatchObject({ kind: 'read', ignored: 1 });
  expect(read('QSOYDt4T1cUTdK1PDd93/VVr8B8=')).toMatchObject({ kind: 'refused' });
});

it("agrees with SendGrid's own verifier, and takes its example", () => {
  const sendgrid = emailExamples.find(({ preset }) => preset === 'sendgrid')!;
  const [, body] = sendgrid.receipts[0]!;
  const { headers } = sendgrid.sign({ url: '', body });
  const verifier = new EventWebhook();
  const pem = sendgridKeys.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
  const [signature, timestamp] = Object.values(headers);
  expect(verifier.verifySignature(verifier.convertPublicKeyToECDSA(pem), body, signature!, timestamp!)).toBe(
    true,
  );

  // From the tests of @sendgrid/eventwebhook.
  const events = [
    {
      email: 'hello@world.com',
      event: 'dropped',
      reason: 'Bounced Address',
      sg_event_id: 'ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA',
      sg_message_id: 'LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0',
      'smtp-id': '<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>',
      timestamp: 1_600_112_492,
    },
  ];
  const options = {
    preset: 'sendgrid',
    apiKey: 'SG.key',
    receiptPublicKey:
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==',
  };
  const request = {
    method: 'POST',
    url: 'https://mill.example/receipts/x',
    headers: {
      'x-twilio-email-event-webhook-signature':
        'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=',
      'x-twilio-email-event-webhook-timestamp': '1600112502',
    },
    body: Buffer.from(`${JSON.stringify(events)}\r\n`),
  };
  expect(httpConnector.readReceipts!(options, request, { nowMs: 0 })).toMatchObject({
    kind: 'read',
    news: [{ providerRef: 'LRzXl_NHStOGhQ4kofSm_A', state: 'failed', error: { code: 'dropped' } }],
  });
});
