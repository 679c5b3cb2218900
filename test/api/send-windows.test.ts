import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SendWindow, weekdays } from '../../src/message/send-window/send-window.ts';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;

const connector = { connector: 'http', url: 'https://provider.example/' };
const window: SendWindow = { days: ['mon', 'tue'], from: '09:00', to: '20:00', timeZone: 'Europe/Amsterdam' };
const hourMs = 3_600_000;

beforeAll(async () => {
  api = await startApi();
  for (const channel of ['sms', 'email'])
    await api.call('PUT', `/v1/routes/${channel}`, { body: { ...connector, channel } });
  await api.call('PUT', '/v1/routes/any', { body: connector });
});

afterAll(() => api.stop());

function createBatch(fields: object) {
  return api.call('POST', '/v1/batches', { body: { route: 'sms', ...fields } });
}

/** From so many hours after now for so many more. */
function windowIn(hours: number, lasts: number): SendWindow {
  const clock = (ms: number) => new Date(ms).toISOString().slice(11, 16);
  const fromMs = Date.now() + hours * hourMs;
  return { days: [...weekdays], from: clock(fromMs), to: clock(fromMs + lasts * hourMs), timeZone: 'UTC' };
}

test('the window of a batch is shown with it, and when it opens while it is closed', async () => {
  const closed = windowIn(3, 2);
  const { status, json } = await createBatch({ sendWindow: closed });
  expect(status).toBe(201);
  expect(json.sendWindow).toEqual(closed);
  expect(json.opensAt.slice(11, 16)).toBe(closed.from);
  expect(Date.parse(json.opensAt) - Date.now()).toBeLessThan(4 * hourMs);
  expect((await api.call('GET', `/v1/batches/${json.id}`)).json).toMatchObject({
    sendWindow: closed,
    opensAt: json.opensAt,
  });
  expect((await createBatch({ sendWindow: windowIn(-2, 5) })).json.opensAt).toBeNull();
  expect((await createBatch({})).json).toMatchObject({ sendWindow: null, opensAt: null });
  const byRecipient = await createBatch({ sendWindow: { ...closed, timeZone: 'recipient' } });
  expect(byRecipient.json).toMatchObject({ sendWindow: { timeZone: 'recipient' }, opensAt: null });
});

test.each([
  ['/sendWindow/days', { days: [] }],
  ['/sendWindow/days', { days: ['mon', 'mon'] }],
  ['/sendWindow/days/0', { days: ['monday'] }],
  ['/sendWindow/from', { from: '9:00' }],
  ['/sendWindow/from', { from: '24:00' }],
  ['/sendWindow/to', { to: '09:00' }],
  ['/sendWindow/to', { to: '25:00' }],
  ['/sendWindow/timeZone', { timeZone: 'Mars/Olympus' }],
  ['/sendWindow/timeZone', { timeZone: '+01:00' }],
  ['/sendWindow/until', { until: '20:00' }],
])('a window that cannot be obeyed is refused for its %s: %j', async (pointer, part) => {
  const body = { ...window, ...part };
  const ofBatch = await createBatch({ sendWindow: body });
  expect([ofBatch.status, ofBatch.json.errors?.[0]?.pointer]).toEqual([422, pointer]);
  const ofRoute = await api.call('PUT', '/v1/routes/bad', { body: { ...connector, sendWindow: body } });
  expect([ofRoute.status, ofRoute.json.errors?.[0]?.pointer]).toEqual([422, pointer]);
});

test.each(['9:00', '25:00', '09:60', '09:00:00', ''])(
  'a window from %j is told what a time looks like',
  async (from) => {
    const { status, json } = await createBatch({ sendWindow: { ...window, from } });
    expect(status).toBe(422);
    const detail = 'must be a time of the day such as 09:00';
    expect(json.errors).toEqual([{ pointer: '/sendWindow/from', code: 'invalid_value', detail }]);
  },
);

test.each(['email', 'any'])(
  'the time zones of recipients are refused on route %s, with what to do',
  async (route) => {
    const sendWindow = { ...window, timeZone: 'recipient' };
    const { status, json } = await createBatch({ route, sendWindow });
    expect(status).toBe(422);
    expect(json.errors[0]).toMatchObject({ pointer: '/sendWindow/timeZone', code: 'wrong_channel' });
    expect(json.errors[0].detail).toContain('such as Europe/Amsterdam');
    const channel = route === 'email' ? { channel: 'email' } : {};
    const ofRoute = await api.call('PUT', '/v1/routes/bad', {
      body: { ...connector, ...channel, sendWindow },
    });
    expect(ofRoute.json.errors[0]).toMatchObject({ pointer: '/sendWindow/timeZone', code: 'wrong_channel' });
  },
);

test('a window that is never open while that of the route is, is refused', async () => {
  const sendWindow = { ...window, days: ['sat', 'sun'] };
  await api.call('PUT', '/v1/routes/weekend', { body: { ...connector, channel: 'sms', sendWindow } });
  const refused = await createBatch({ route: 'weekend', sendWindow: window });
  expect([refused.status, refused.json.errors?.[0]?.pointer]).toEqual([422, '/sendWindow']);
  expect(refused.json.errors[0].detail).toContain('nothing would be sent');
  expect(
    (await createBatch({ route: 'weekend', sendWindow: { ...window, days: ['fri', 'sat'] } })).status,
  ).toBe(201);
});

test('an upload in one call refuses a window in its query', async () => {
  const { status, json } = await api.call('POST', '/v1/batches?route=sms&sendWindow=x', {
    body: [{ to: '+31612345678' }],
  });
  expect([status, json.code]).toEqual([422, 'not_available']);
});

test('the window of a route is shown, reaches the workers, can be taken away, and tells when its batches go on', async () => {
  const sendWindow = windowIn(3, 2);
  const made = await api.call('PUT', '/v1/routes/night', {
    body: { ...connector, channel: 'sms', sendWindow },
  });
  expect([made.status, made.json.sendWindow]).toEqual([201, sendWindow]);
  expect((await api.call('GET', '/v1/routes/night')).json.sendWindow).toEqual(sendWindow);
  expect(api.context.control.routeByName('night')?.sendWindow).toEqual(sendWindow);
  const batch = await createBatch({ route: 'night' });
  expect(batch.json.opensAt.slice(11, 16)).toBe(sendWindow.from);
  await api.call('PUT', '/v1/routes/night', { body: { ...connector, channel: 'sms' } });
  expect((await api.call('GET', '/v1/routes/night')).json.sendWindow).toBeNull();
  expect(api.context.control.routeByName('night')?.sendWindow).toBeUndefined();
  expect((await api.call('GET', `/v1/batches/${batch.json.id}`)).json.opensAt).toBeNull();
});
