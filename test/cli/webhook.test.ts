import { afterAll, beforeAll, expect, it } from 'vitest';
import { startApi, type TestApi } from '../api/start-api.ts';
import { runCli } from '../support/run-cli.ts';

let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

const webhook = (...argv: string[]) =>
  runCli(['webhook', ...argv], { MILLRACE_URL: api.url, MILLRACE_KEY: api.adminKey });

it('a webhook is shown, changed, rotated, enabled and deleted by its name as by its id', async () => {
  expect(await webhook('create', 'billing', 'https://example.com/hook')).toMatchObject({ status: 0 });
  const { id } = JSON.parse((await webhook('show', 'billing', '--json')).out);
  expect((await webhook('show', id)).out).toContain('https://example.com/hook');
  expect((await webhook('set', 'billing', '--name', 'bills')).out).toContain(id);
  expect((await webhook('rotate', 'bills')).out).toMatch(/^whsec_/);
  const disabled = await webhook('disable', 'bills');
  expect(disabled.out).toMatch(/state +disabled/);
  expect(disabled.out).toContain('by hand');
  expect((await webhook('set', 'bills', '--batch', '2')).out).toMatch(/state +disabled/);
  expect((await webhook('enable', id)).out).toMatch(/state +enabled/);
  expect((await webhook('set', id, '--batch', '7')).out).toMatch(/events a request +7/);
  expect(await webhook('delete', 'bills')).toEqual({
    status: 0,
    out: 'webhook bills is deleted\n',
    err: '',
  });
  expect(await webhook('rotate', id)).toMatchObject({ status: 1 });
});

it('a part of a filter is changed, and the other stays', async () => {
  await webhook('create', 'filtered', 'https://example.com/hook', '--tag', 'spring,summer');
  const filter = async () => JSON.parse((await webhook('show', 'filtered', '--json')).out).filter;
  await api.call('PUT', '/v1/routes/sms', { body: { connector: 'http', url: 'https://provider.example/' } });
  await webhook('set', 'filtered', '--route', 'sms');
  expect(await filter()).toEqual({ routes: ['sms'], tags: ['spring', 'summer'] });
  await webhook('set', 'filtered', '--tag', 'autumn');
  expect(await filter()).toEqual({ routes: ['sms'], tags: ['autumn'] });
});

it('the route of callbacks stays as long as there are webhooks', async () => {
  const refused = await api.call('DELETE', '/v1/routes/callbacks');
  expect([refused.status, refused.json.detail]).toEqual([409, expect.stringContaining('webhooks')]);
});

it('a webhook is found by a name that it had, unless another has it now', async () => {
  await webhook('create', 'alpha', 'https://example.com/alpha');
  const rename = (from: string, to: string) => webhook('set', from, '--name', to);
  await rename('alpha', 'beta');
  await rename('beta', 'gamma');
  const { control } = api.context;
  const nameBehind = (name: string) => control.webhookOf(1, name)?.name;
  await expect.poll(() => ['alpha', 'beta', 'gamma'].map(nameBehind)).toEqual(['gamma', 'gamma', 'gamma']);
  await webhook('create', 'alpha', 'https://example.com/other');
  await expect.poll(() => control.webhookOf(1, 'alpha')?.url).toBe('https://example.com/other');
  await rename('gamma', 'beta');
  await expect.poll(() => control.webhookOf(1, 'gamma')?.formerNames).toEqual(['gamma', 'alpha']);
});

it('the old secret signs for a day after a rotation, or for as long as it is told', async () => {
  await webhook('create', 'leaky', 'https://example.com/hook');
  const secrets = async () => JSON.parse((await webhook('show', 'leaky', '--json')).out).secrets.length;
  await webhook('rotate', 'leaky');
  expect(await secrets()).toBe(2);
  await webhook('rotate', 'leaky', '--overlap-ms', '0');
  expect(await secrets()).toBe(1);
  expect(await webhook('rotate', 'leaky', '--overlap-ms', '604800001')).toMatchObject({ status: 2 });
});

it('an id goes before a name that looks like it', async () => {
  await webhook('create', 'first', 'https://example.com/');
  const { id } = JSON.parse((await webhook('show', 'first', '--json')).out);
  await webhook('create', id, 'https://example.org/');
  expect((await webhook('show', id)).out).toContain('https://example.com/');
});

it('a webhook that is not there is told with the command that lists those that are', async () => {
  expect(await webhook('set', 'nobody', '--batch', '2')).toEqual({
    status: 1,
    out: '',
    err: 'error: there is no webhook "nobody"\nmillrace webhook list shows those of the account.\n',
  });
});

it.each([
  'http://127.0.0.1:9/',
  'http://10.0.0.7/',
  'http://[fe80::1]/',
  'http://2130706433/',
  'https://LOCALHOST/',
])(
  'that requests to %s are refused is noted beside the result, with a command that allows them',
  async (url) => {
    const made = await webhook('create', 'inside', url);
    expect(made).toMatchObject({ status: 0, out: expect.stringMatching(/^whsec_\S+\n$/) });
    const [, command] = /^note: .* refused .* millrace (route set .*)$/m.exec(made.err)!;
    const allowed = await runCli(command!.split(' '), {
      MILLRACE_URL: api.url,
      MILLRACE_KEY: api.adminKey,
    });
    expect(allowed).toMatchObject({ status: 0, err: '' });
    expect((await api.call('GET', '/v1/routes/callbacks')).json).toMatchObject({ allowPrivate: true });
    expect(await webhook('set', 'inside', '--endpoint', 'https://example.com/')).toMatchObject({ err: '' });
    expect((await webhook('set', 'inside', '--endpoint', url)).err).toBe(made.err.split(/(?<=\n)/)[0]);
    await webhook('delete', 'inside');
  },
);
