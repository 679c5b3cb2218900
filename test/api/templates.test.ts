import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { OutgoingMessage } from '../../src/connectors/connector.ts';
import { limits } from '../../src/message/limits.ts';
import { templateLimits } from '../../src/message/templates/template-limits.ts';
import { createMill, type Mill, testRoute, until } from '../delivery/mill.ts';
import { findInDatabase } from '../support/find-in-database.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let mill: Mill;
let names = 0;

beforeAll(async () => {
  api = await startApi();
  for (const channel of ['sms', 'email', 'webhook']) {
    const body = { connector: 'http', url: 'https://provider.example/', channel };
    expect((await api.call('PUT', `/v1/routes/${channel}`, { body })).status).toBe(201);
  }
  mill = createMill(api.databaseUrl);
  for (const { id } of api.context.control.routes()) mill.routes.set(id, { ...testRoute, id });
  mill.worker().start();
});
afterAll(async () => {
  await mill.close();
  await api.stop();
});
beforeEach(() => {
  mill.received.length = 0;
  mill.respond = () => ({ kind: 'sent' });
});

const ndjson = { 'content-type': 'application/x-ndjson' };

async function makeTemplate(template: Record<string, unknown>, key?: string): Promise<string> {
  const name = `t${++names}`;
  const body = { name, channel: 'sms', ...template };
  const answer = await api.call('POST', '/v1/templates', { body, ...(key && { key }) });
  expect(answer.json).toMatchObject({ name, version: 1 });
  return name;
}

async function change(name: string, body: object): Promise<number> {
  const answer = await api.call('PATCH', `/v1/templates/${name}`, { body });
  expect(answer.status).toBe(200);
  return answer.json.version;
}

async function newBatch(settings: object): Promise<string> {
  const answer = await api.call('POST', '/v1/batches', { body: { route: 'sms', ...settings } });
  expect(answer.json).toMatchObject({ state: 'open' });
  return answer.json.id;
}

function append(batch: string, lines: readonly object[], query = '') {
  const body = lines.map((line) => JSON.stringify(line)).join('\n');
  return api.call('POST', `/v1/batches/${batch}/messages${query}`, { body, headers: ndjson });
}

const to = (n: number) => `+3161${1_000_000 + n}`;

/** What the provider got, by recipient. */
function receivedBy(): Map<string, OutgoingMessage['fields']> {
  return new Map(mill.received.map(({ fields }) => [fields.to, fields]));
}

const received = (count: number) => until(async () => mill.received.length === count);

test('a template is made, changed, listed and deleted, and its versions are told', async () => {
  const name = await makeTemplate({ body: 'Hi {{ name }}' });
  expect(await change(name, { body: 'Hello {{ name }}{% if code %}: {{ code }}{% endif %}' })).toBe(2);
  // What changes nothing makes no version.
  expect(await change(name, {})).toBe(2);
  const shown = (await api.call('GET', `/v1/templates/${name}`)).json;
  expect(shown).toMatchObject({
    ...{ name, channel: 'sms', version: 2, variables: { required: ['name'], optional: ['code'] } },
    versions: [{ version: 2 }, { version: 1 }],
  });
  const path = `/v1/templates/${shown.id}`;
  expect((await api.call('GET', `${path}?version=1`)).json).toMatchObject({
    version: 1,
    body: 'Hi {{ name }}',
  });
  expect((await api.call('GET', `${path}?version=3`)).status).toBe(404);
  const preview = (body: object) => api.call('POST', `${path}/preview`, { body });
  expect((await preview({ params: { name: 'Ann', code: 7 } })).json).toEqual({
    version: 2,
    body: 'Hello Ann: 7',
  });
  expect((await preview({ params: { name: 'Ann' }, version: 1 })).json).toEqual({
    version: 1,
    body: 'Hi Ann',
  });
  expect((await preview({})).json.errors).toMatchObject([{ pointer: '/params', code: 'missing_params' }]);
  const page = (await api.call('GET', '/v1/templates?limit=1')).json;
  expect(page.data).toHaveLength(1);
  const again = await api.call('POST', '/v1/templates', { body: { name, channel: 'sms', body: 'x' } });
  expect(again.status).toBe(409);
  expect((await api.call('DELETE', path)).status).toBe(200);
  expect((await api.call('GET', path)).status).toBe(404);
  expect(
    (await api.call('POST', '/v1/templates', { body: { name, channel: 'sms', body: 'x' } })).status,
  ).toBe(201);
});

test('a change that is sent again with its key makes one version', async () => {
  const name = await makeTemplate({ body: 'one' });
  const headers = { 'idempotency-key': `change-${name}` };
  for (let time = 0; time < 2; time++) {
    const answer = await api.call('PATCH', `/v1/templates/${name}`, { body: { body: 'two' }, headers });
    expect(answer.json.version).toBe(2);
  }
});

test('a bad template is refused with the place of its fault', async () => {
  const refused = async (template: object) => {
    const answer = await api.call('POST', '/v1/templates', { body: { name: 'bad', ...template } });
    expect(answer.status).toBe(422);
    return answer.json.errors.map((error: { pointer: string; code: string; detail: string }) =>
      [error.pointer, error.code, /line \d+, column \d+/.exec(error.detail)?.[0]].filter(Boolean).join(' '),
    );
  };
  expect(await refused({ channel: 'sms', body: 'a\n{{ b | shout }}' })).toEqual([
    '/body invalid_template line 2, column 8',
  ]);
  expect(await refused({ channel: 'email', subject: 'a\nb', body: '{% for a in b %}', html: 'x' })).toEqual([
    '/subject invalid_template line 1, column 2',
    '/body invalid_template line 1, column 1',
  ]);
  expect(await refused({ channel: 'sms', subject: 'a', body: 'b' })).toEqual(['/subject wrong_channel']);
  expect(await refused({ channel: 'webhook' })).toEqual(['/body required']);
  expect(await refused({ channel: 'sms', name: '1', body: 'b' })).toEqual(['/name invalid_value']);
  const name = await makeTemplate({ body: 'good' });
  expect((await api.call('PATCH', `/v1/templates/${name}`, { body: { body: '{{' } })).status).toBe(422);
  expect((await api.call('GET', `/v1/templates/${name}`)).json).toMatchObject({ version: 1, body: 'good' });
});

test('filters without end and parameters that no message may bring are refused', async () => {
  const { filtersMax, outputFiltersMax } = templateLimits;
  const refused = async (path: string, body: object) => {
    const answer = await api.call('POST', path, { body });
    expect(answer.status).toBe(422);
    return answer.json.errors;
  };
  const make = (text: string) => refused('/v1/templates', { name: 'long', channel: 'sms', body: text });
  expect(await make(`{{ a${' | capitalize'.repeat(outputFiltersMax + 1)} }}`)).toEqual([
    {
      ...{ pointer: '/body', code: 'invalid_template' },
      detail: `line 1, column 4: a value has ${outputFiltersMax + 1} filters; the limit is ${outputFiltersMax}`,
    },
  ]);
  expect(await make('{{ a | strip }}'.repeat(filtersMax + 1))).toEqual([
    { pointer: '', code: 'too_long', detail: `has ${filtersMax + 1} filters; the limit is ${filtersMax}` },
  ]);
  const name = await makeTemplate({ body: '{{ a | truncate: 1, "" }}' });
  const params = { a: 'x'.repeat(limits.lineBytesMax) };
  expect(await refused(`/v1/templates/${name}/preview`, { params })).toMatchObject([
    { pointer: '/params', code: 'too_long' },
  ]);
});

test('another account has no part in a template', async () => {
  const name = await makeTemplate({ body: 'secret' });
  const { id } = (await api.call('GET', `/v1/templates/${name}`)).json;
  const { key } = await api.makeAccount('Other', ['send', 'read', 'manage']);
  for (const [method, path] of [
    ['GET', name],
    ['GET', id],
    ['PATCH', id],
    ['DELETE', name],
    ['POST', `${name}/preview`],
  ]) {
    const body = method === 'GET' || method === 'DELETE' ? undefined : {};
    const answer = await api.call(method!, `/v1/templates/${path}`, { key, ...(body && { body }) });
    expect([method, answer.status]).toEqual([method, 404]);
  }
  expect((await api.call('GET', '/v1/templates', { key })).json.data).toEqual([]);
  const batch = { route: 'sms', template: name };
  expect((await api.call('POST', '/v1/batches', { key, body: batch })).json.code).toBe('unknown_template');
  const single = { to: to(1), route: 'sms', template: name };
  const answer = await api.call('POST', '/v1/messages', { key, body: single });
  expect(answer.json.errors).toMatchObject([{ code: 'unknown_template' }]);
  // The name is free for it.
  await makeTemplate({ name: 'own', body: 'x' }, key).catch(() => {});
  expect((await api.call('GET', '/v1/templates', { key })).json.data).toHaveLength(1);
});

test('each message is rendered by the version of its acceptance, while the template changes three times', async () => {
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  mill.respond = () => gate.then(() => ({ kind: 'sent' as const }));
  const name = await makeTemplate({ body: '1 {{ n }}' });
  const pinned = await newBatch({ template: name });
  const named = await newBatch({});
  const ordered = await newBatch({ orderingKey: 'k' });
  const expected = new Map<string, string>();
  let n = 0;
  for (let version = 1; version <= 3; version++) {
    if (version > 1) expect(await change(name, { body: `${version} {{ n }}` })).toBe(version);
    const lines = (template: string | undefined, says: number) =>
      Array.from({ length: 70 }, () => {
        n++;
        expected.set(to(n), `${says} ${n}`);
        return { to: to(n), params: { n }, ...(template && { template }) };
      });
    expect((await append(pinned, lines(undefined, 1))).json.accepted).toBe(70);
    expect((await append(named, lines(name, version))).json.accepted).toBe(70);
    expect((await append(ordered, lines(name, version))).json.accepted).toBe(70);
    const singles = lines(name, version).map((line) => ({ ...line, route: 'sms' }));
    expect((await api.call('POST', '/v1/messages', { body: singles })).status).toBe(202);
  }
  expect((await api.call('DELETE', `/v1/templates/${name}`)).status).toBe(200);
  expect((await append(pinned, [{ to: to(9_999), params: { n: 9_999 } }])).json.accepted).toBe(1);
  expected.set(to(9_999), '1 9999');
  open();
  await received(expected.size);
  const bodies = mill.received.map(({ fields }) => [fields.to, fields.body] as const);
  expect(new Map(bodies)).toEqual(expected);
  for (const { fields } of mill.received) expect(Object.keys(fields).sort()).toEqual(['body', 'to']);
  const page = (await api.call('GET', `/v1/batches/${named}/messages?limit=200`)).json.data;
  for (const message of page) {
    const says = expected.get(message.to)!;
    expect(message).toMatchObject({ body: says, template: name, templateVersion: Number(says[0]) });
  }
  const shown = (await api.call('GET', `/v1/batches/${pinned}`)).json;
  expect(shown).toMatchObject({ template: name, templateVersion: 1 });
});

test('a line that lacks a variable is rejected, and its neighbours are kept', async () => {
  const name = await makeTemplate({ body: '{{ name }} {{ code }} {{ note | default: "-" }}' });
  const batch = await newBatch({ template: name, params: { code: 'C' } });
  const { json } = await append(batch, [
    { to: to(1), params: { name: 'Ann' } },
    { to: to(2), params: { nam: 'Bo' } },
    { to: to(3) },
    { to: to(4), params: { name: 'Di', code: 4, note: 'n' } },
    { to: to(5), params: { name: ['x'] } },
    { to: to(6), params: { name: null } },
    { to: to(7), params: { name: 'El' }, body: 'b' },
    { to: to(8), params: { name: 'Fi', note: {} } },
  ]);
  expect(json).toMatchObject({ accepted: 2, rejected: 6 });
  const rejected = json.errors.map(({ line, code }: { line: number; code: string }) => `${line} ${code}`);
  expect(rejected).toEqual([
    '2 missing_params',
    '3 missing_params',
    '5 invalid_params',
    '6 missing_params',
    '7 template_and_text',
    '8 invalid_params',
  ]);
  expect(json.errors[0].detail).toContain('"name"');
  await received(2);
  expect([...receivedBy().values()].map(({ body }) => body).sort()).toEqual(['Ann C -', 'Di 4 n']);
  const elements = [{ to: to(1), route: 'sms', template: name, params: { name: 'Ann', code: 1 } }];
  const answer = await api.call('POST', '/v1/messages', {
    body: [
      ...elements,
      { to: to(2), route: 'sms', template: name },
      { to: 'a@b.c', route: 'email', template: name },
    ],
  });
  expect(answer.json.errors).toMatchObject([
    { index: 1, code: 'missing_params', detail: expect.stringContaining('"code"') },
    { index: 2, code: 'wrong_channel' },
  ]);
  await received(3);
});

test('CSV brings parameters in columns, and templates by name', async () => {
  const one = await makeTemplate({ body: 'One {{ name }}' });
  const two = await makeTemplate({ body: 'Two {{ name }} {{ code | default: "none" }}' });
  const csv = `to,template,params.name,metadata.a,params.code\n${to(1)},,Ann,1,7\n${to(2)},${two},"Bo, ""B""",,\n${to(3)},,,,\n${to(4)},${two},El,2,8\n`;
  const answer = await api.call('POST', `/v1/batches?route=sms&template=${one}`, {
    body: csv,
    headers: { 'content-type': 'text/csv' },
  });
  expect(answer.json).toMatchObject({
    counts: { accepted: 3 },
    errors: [{ line: 4, code: 'missing_params' }],
  });
  await received(3);
  const bodies = [1, 2, 4].map((n) => receivedBy().get(to(n))!.body);
  expect(bodies).toEqual(['One Ann', 'Two Bo, "B" none', 'Two El 8']);
  const path = `/v1/batches/${answer.json.id}/export`;
  const { text } = await api.call('GET', `${path}?format=csv`);
  expect(text).toContain(`,${two},1,"{""name"":""El"",""code"":""8""}",`);
  expect(text).toContain(`"Two Bo, ""B"" none"`);
  const lines = (await api.call('GET', path)).text.trim().split('\n');
  expect(JSON.parse(lines[0]!)).toMatchObject({
    body: 'One Ann',
    template: one,
    templateVersion: 1,
    params: { name: 'Ann' },
  });
});

test('in mail what is filled in is escaped in HTML, and breaks no line of the subject', async () => {
  const email = {
    channel: 'email',
    subject: 'For {{ name }}',
    body: '{{ name }}',
    html: '<p>{{ name }}</p>',
  };
  const name = await makeTemplate(email);
  const params = { name: '<A>\r\nBcc: all@b.example' };
  const body = { to: 'ann@example.com', route: 'email', template: name, params };
  const { id } = (await api.call('POST', '/v1/messages', { body })).json.messages[0];
  await received(1);
  const rendered = {
    subject: 'For <A> Bcc: all@b.example',
    body: params.name,
    html: '<p>&lt;A&gt;\r\nBcc: all@b.example</p>',
  };
  expect(mill.received[0]!.fields).toEqual({ to: 'ann@example.com', ...rendered });
  const shown = (await api.call('GET', `/v1/messages/${id}`)).json;
  expect(shown).toMatchObject({ ...rendered, template: name, templateVersion: 1, params });
});

test('a template and a text of its own do not go together', async () => {
  const name = await makeTemplate({ body: 'x' });
  const batch = { route: 'sms', template: name, body: 'b' };
  expect((await api.call('POST', '/v1/batches', { body: batch })).json.errors).toMatchObject([
    { pointer: '/body', code: 'template_and_text' },
  ]);
  const single = { to: to(1), route: 'sms', template: name, subject: 's' };
  expect((await api.call('POST', '/v1/messages', { body: single })).json.errors).toMatchObject([
    { code: 'template_and_text' },
  ]);
  // The batch's text is for lines without a template.
  const mixed = await newBatch({ body: 'own', subject: 's' });
  await append(mixed, [{ to: to(1), template: name }, { to: to(2) }]);
  await received(2);
  expect(receivedBy().get(to(1))).toEqual({ to: to(1), body: 'x' });
  expect(receivedBy().get(to(2))).toEqual({ to: to(2), body: 'own', subject: 's' });
});

test('a message that cannot be rendered fails by itself, and can be replayed', async () => {
  const name = await makeTemplate({ body: '{{ a }}{{ a }}' });
  const batch = await newBatch({ template: name });
  const long = 'x'.repeat(40_000);
  await append(
    batch,
    [
      { to: to(1), params: { a: 'p' } },
      { to: to(2), params: { a: long } },
    ],
    '?close=true',
  );
  const counts = async () => (await api.call('GET', `/v1/batches/${batch}`)).json.counts;
  await until(async () => (await counts()).sent === 1 && (await counts()).failed === 1);
  expect(mill.received.map(({ fields }) => fields.body)).toEqual(['pp']);
  const [failed] = (await api.call('GET', `/v1/batches/${batch}/messages?state=failed`)).json.data;
  expect(failed).toMatchObject({ body: null, template: name, error: { code: 'template_failed' } });
  expect(failed.error.detail).not.toContain('xx');
  expect((await api.call('POST', `/v1/messages/${failed.id}/replay`)).status).toBe(200);
  const ends = async () => (await api.call('GET', `/v1/messages/${failed.id}`)).json.timeline;
  await until(
    async () => (await ends()).filter(({ state }: { state: string }) => state === 'failed').length === 2,
  );
});

test('the parameters of a person are erased with the message', async () => {
  const name = await makeTemplate({ body: 'Hi {{ name }}' });
  const batch = await newBatch({ template: name });
  const person = 'Zebulon-Quartermaine';
  const line = (n: number) => ({ to: to(n), params: { name: n === 77 ? person : `P${n}` } });
  await append(
    batch,
    Array.from({ length: 100 }, (_, n) => line(n)),
  );
  await append(batch, [line(77)]);
  await received(101);
  await api.call('POST', '/v1/recipients/erase', { body: { to: to(77) } });
  expect(await findInDatabase(api.databaseUrl, person)).toEqual([]);
  const page = (await api.call('GET', `/v1/batches/${batch}/messages?limit=200`)).json.data;
  expect(page.filter(({ erased }: { erased?: boolean }) => erased)).toHaveLength(2);
  const kept = page.find((message: { to: string }) => message.to === to(78));
  expect(kept).toMatchObject({ body: 'Hi P78', templateVersion: 1 });
});

test('whatever the names and values of parameters are, what is accepted is delivered as it was rendered', async () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];
  const name = await makeTemplate({ body: names.map((each) => `{{ ${each} | default: "-" }}`).join('|') });
  const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean());
  const samples = fc.sample(fc.dictionary(fc.constantFrom(...names), value), { numRuns: 100, seed: 5 });
  const lines = samples.map((params, n) => `{"to":"${to(n)}","params":${JSON.stringify(params)}}`);
  const batch = await newBatch({ template: name });
  const upload = { body: lines.join('\n'), headers: ndjson };
  expect((await api.call('POST', `/v1/batches/${batch}/messages`, upload)).json.rejected).toBe(0);
  await received(100);
  samples.forEach((params, n) => {
    const shown = names.map((each) => {
      const own = Object.hasOwn(params, each) ? params[each] : undefined;
      return own === undefined || own === '' || own === false ? '-' : String(own);
    });
    expect(receivedBy().get(to(n))!.body).toBe(shown.join('|'));
  });
});
