import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerTo, type FarSite, line, lines, message, startFarSite } from './far-site.ts';

let site: FarSite;
let call: FarSite['call'];
let startFar: FarSite['startFar'];

beforeAll(async () => {
  site = await startFarSite();
  ({ call, startFar } = site);
});

afterAll(() => site.stop());

const fly = { flyReplayRegion: 'ams', flyRegion: 'syd' };
/** Of the body alone; headers are a few hundred bytes. */
const body = (bytes: number) => JSON.stringify({ ...message, body: 'x'.repeat(bytes - 60) });

test("a write that Fly's proxy can repeat is answered with the region, and done nowhere", async () => {
  const api = await startFar({ ...fly, writeForwardUrl: site.way.url });
  for (const bytes of [100, 990_000]) {
    const asked = await call(api, 'POST', '/v1/messages', { body: body(bytes) });
    expect(asked).toMatchObject({ status: 409, json: { code: 'wrong_region' } });
    expect(asked.headers.get('fly-replay')).toBe('region=ams');
    expect(asked.headers.has('millrace-consistency')).toBe(false);
  }
  expect((await call(api, 'GET', '/v1/batches')).headers.has('fly-replay')).toBe(false);
  expect((await api.call('POST', '/v1/messages', { key: null })).headers.has('fly-replay')).toBe(false);
  expect((await call(api, 'GET', '/metrics')).text).toMatch(
    /millrace_writes_elsewhere_total\{way="replay"\} 2/,
  );
});

test("what Fly's proxy cannot repeat is forwarded, or refused with what to do", async () => {
  const forwarding = await startFar({ ...fly, writeForwardUrl: site.way.url });
  const refusing = await startFar(fly);
  const big = { body: lines(0, 30_000), headers: { 'content-type': 'application/x-ndjson' } };
  const forwarded = await call(forwarding, 'POST', '/v1/batches?route=sms', big);
  expect(forwarded).toMatchObject({ status: 201, json: { counts: { accepted: 30_000 } } });
  const refused = await call(refusing, 'POST', '/v1/batches?route=sms', big);
  expect(refused).toMatchObject({ status: 409, json: { code: 'wrong_region' } });
  expect(refused.headers.has('fly-replay')).toBe(false);
  for (const words of ['fly-prefer-region: ams', 'writeForwardUrl'])
    expect(refused.json.detail).toContain(words);

  // Nobody knows how long it will be.
  for (const [api, status] of [
    [forwarding, 201],
    [refusing, 409],
  ] as const) {
    const chunked = site.open(api, '/v1/batches?route=sms');
    chunked.write(line(1));
    chunked.end();
    expect((await answerTo(chunked)).response.statusCode).toBe(status);
  }
});

test.each(['fly-replay-src', 'fly-replay-failed'])(
  'a write with %s is not repeated again',
  async (header) => {
    const headers = { [header]: 'instance=1;region=syd;t=1' };
    const forwarding = await startFar({ ...fly, writeForwardUrl: site.way.url });
    const alone = await startFar(fly);
    for (const api of [forwarding, alone]) {
      const made = await call(api, 'POST', '/v1/messages', { body: message, headers });
      expect(made).toMatchObject({ status: 202 });
      expect(made.headers.has('fly-replay')).toBe(false);
    }
  },
);

test('in the region of the primary writes are made here', async () => {
  const api = await startFar({
    flyReplayRegion: 'ams',
    flyRegion: 'ams',
    writeForwardUrl: 'http://127.0.0.1:9',
  });
  const headers = { 'fly-replay-src': 'instance=1;region=syd;t=1' };
  expect(await call(api, 'POST', '/v1/messages', { body: message, headers })).toMatchObject({ status: 202 });
  expect(await call(api, 'POST', '/v1/messages', { body: message })).toMatchObject({ status: 202 });
});
