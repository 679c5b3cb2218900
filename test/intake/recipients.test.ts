import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from '../api/start-api.ts';
import { createMill, type Mill, testRoute } from '../delivery/mill.ts';

let api: TestApi;
let mill: Mill;
let dutch: { id: string; key: string };
let plain: { id: string; key: string };

beforeAll(async () => {
  api = await startApi();
  for (const channel of ['sms', 'email']) {
    const body = { connector: 'http', url: 'https://provider.example/', channel };
    expect((await api.call('PUT', `/v1/routes/${channel}`, { body })).status).toBe(201);
  }
  dutch = await api.makeAccount('Dutch', ['send', 'read', 'manage']);
  plain = await api.makeAccount('Plain', ['send', 'read', 'manage']);
  const defaultRoutes = { sms: 'sms', email: 'email' };
  for (const { id } of [dutch, plain]) {
    await api.call('PATCH', `/v1/accounts/${id}`, { body: { defaultRoutes } });
  }
  const changed = await api.call('PATCH', `/v1/accounts/${dutch.id}`, { body: { defaultCountry: 'NL' } });
  expect(changed.json).toMatchObject({ defaultCountry: 'NL', defaultRoutes });
  // Erasing waits for whoever owns the shards.
  mill = createMill(api.databaseUrl);
  for (const { id } of api.context.control.routes()) mill.routes.set(id, { ...testRoute, id });
  mill.worker().start();
});
afterAll(async () => {
  await mill.close();
  await api.stop();
});

async function findable(to: string, key: string): Promise<string[]> {
  const { status, json } = await api.call('GET', `/v1/messages?to=${to}`, { key });
  expect(status).toBe(200);
  return json.data.map((message: { body: string }) => message.body).sort();
}

test('however a number is written, and however it comes in, it is one recipient', async () => {
  const { key } = dutch;
  const single = await api.call('POST', '/v1/messages', {
    key,
    body: [
      { to: '+31612345678', body: 'plain' },
      { to: '06 1234 5678', body: 'dialled', priority: 'bulk' },
      { to: '+31 (0)6 1234-5678', body: 'both' },
      { to: '0', body: 'nobody' },
    ],
  });
  expect(single.json.messages.map(({ to }: { to: string }) => to)).toEqual(Array(3).fill('+31612345678'));
  expect(single.json.errors).toEqual([
    { index: 3, code: 'invalid_recipient', detail: expect.stringContaining('dialled in NL') },
  ]);
  const upload = (type: string, body: string) =>
    api.call('POST', '/v1/batches?route=sms', { key, body, headers: { 'content-type': type } });
  const ndjson =
    '{"to":"0031612345678","body":"lines"}\n{"to":"06-12345678","body":"keyed","orderingKey":"k"}\n';
  expect((await upload('application/x-ndjson', ndjson)).json.counts).toMatchObject({ accepted: 2 });
  expect((await upload('text/csv', 'to,body\n06/12345678,cells\n')).json.counts).toMatchObject({
    accepted: 1,
  });
  const classic = await api.call('POST', '/messages', {
    headers: { authorization: `AccessKey ${key}` },
    body: { originator: 'Mill', recipients: ['06 12345678', 31612345678], body: 'classic' },
  });
  const shown = classic.json.recipients.items.map(({ recipient }: { recipient: number }) => recipient);
  expect(shown).toEqual([31612345678, 31612345678]);
  const all = ['both', 'cells', 'classic', 'classic', 'dialled', 'keyed', 'lines', 'plain'];
  const ways = ['%2B31612345678', '+31612345678', '+31+6+1234+5678', '06%2012345678', '0031-612345678'];
  for (const way of ways) expect(await findable(way, key)).toEqual(all);

  const erased = await api.call('POST', '/v1/recipients/erase', { key, body: { to: '06 - 12345678' } });
  expect(erased.json).toMatchObject({ messages: all.length, complete: true });
  expect(await findable('%2B31612345678', key)).toEqual([]);
});

test('without a country of the account, a number tells its own', async () => {
  const { key } = plain;
  const { status, json } = await api.call('POST', '/v1/messages', {
    key,
    body: { to: '06 12345678', body: 'x' },
  });
  expect([status, json.errors]).toEqual([
    422,
    [
      {
        index: 0,
        code: 'invalid_recipient',
        detail: expect.stringContaining('"defaultCountry" of the account'),
      },
    ],
  ]);
  const taken = await api.call('POST', '/v1/messages', { key, body: { to: '0031 6 87654321', body: 'x' } });
  expect(taken.json.messages).toMatchObject([{ to: '+31687654321' }]);
  expect(await findable('06%2087654321', key)).toEqual([]);
});

test('an address is found whatever the case and the script of its domain', async () => {
  const { key } = plain;
  const sent = await api.call('POST', '/v1/messages', {
    key,
    body: [
      { to: ' Ada+news@BÜCHER.example ', body: 'written' },
      { to: 'Ada <ada@example.com>', body: 'named' },
    ],
  });
  expect(sent.json.messages).toMatchObject([{ to: 'Ada+news@xn--bcher-kva.example' }]);
  expect(sent.json.errors).toMatchObject([
    { index: 1, detail: expect.stringContaining('the address alone') },
  ]);
  for (const way of ['Ada+news@b%C3%BCcher.example', 'Ada%2Bnews@xn--bcher-kva.example']) {
    expect(await findable(way, key)).toEqual(['written']);
  }
  const erased = await api.call('POST', '/v1/recipients/erase', {
    key,
    body: { to: 'Ada+news@Bücher.example' },
  });
  expect(erased.json).toMatchObject({ messages: 1, complete: true });
});

test('a default country is one that has telephone numbers, and can be taken away', async () => {
  const path = `/v1/accounts/${plain.id}`;
  const set = async (defaultCountry: unknown) => {
    const { status, json } = await api.call('PATCH', path, { body: { defaultCountry } });
    return status === 200 ? json.defaultCountry : json.errors?.[0]?.code;
  };
  expect(await set('ZZ')).toBe('unknown_country');
  expect(await set('US')).toBe('US');
  const made = await api.call('POST', '/v1/accounts', { body: { name: 'Belgian', defaultCountry: 'BE' } });
  expect(made.json).toMatchObject({ defaultCountry: 'BE' });
  expect(await set(null)).toBe(null);
  expect((await api.call('GET', path)).json.defaultCountry).toBe(null);
});
