import { expect, onTestFinished, test } from 'vitest';
import type { DoctorContext, Finding } from '../../src/doctor/check.ts';
import { writeForwarding } from '../../src/doctor/checks/write-forwarding.ts';
import { startApi } from '../api/start-api.ts';
import { answerJson, answerProblem, type Handler, startScriptedServer } from '../support/scripted-server.ts';

async function look(writeForwardUrl?: string): Promise<Finding> {
  const { signal } = new AbortController();
  const [finding] = await writeForwarding.run({ writeForwardUrl, signal } as DoctorContext);
  return finding!;
}

async function startServer(handle: Handler): Promise<string> {
  const server = await startScriptedServer(handle);
  onTestFinished(() => server.stop());
  return server.url;
}

test('a server that makes its writes itself, and one whose writes are made by another, are well', async () => {
  expect(await look()).toMatchObject({ severity: 'ok' });
  const home = await startApi();
  onTestFinished(() => home.stop());
  expect(await look(home.url)).toEqual({
    severity: 'ok',
    summary: `${home.url} is alive and makes the writes`,
  });
});

test('a server that would forward a write once more, as this very one, is told with the mend', async () => {
  const far = await startApi({ elsewhere: { forwardUrl: new URL('http://127.0.0.1:1') } });
  onTestFinished(() => far.stop());
  expect(await look(far.url)).toMatchObject({
    severity: 'error',
    summary: expect.stringContaining('it is this very server, or another one far from the primary'),
    mend: expect.stringContaining('writeForwardUrl'),
  });
});

test('nobody at the URL, one who is no Millrace server, and one who is not ready are told apart', async () => {
  expect(await look('http://127.0.0.1:1')).toMatchObject({
    severity: 'error',
    summary: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1 cannot be reached: .+/),
    mend: expect.any(String),
  });
  const other = await startServer((_request, response) => void response.end('It works!'));
  expect(await look(other)).toMatchObject({
    severity: 'error',
    summary: expect.stringContaining('is no Millrace server'),
    mend: expect.any(String),
  });
  const moved = await startServer((_request, response) => {
    response.writeHead(301, { location: other }).end();
  });
  expect(await look(moved)).toMatchObject({ summary: expect.stringContaining('GET /livez with 301') });
  const starting = await startServer(({ url }, response) =>
    url === '/livez'
      ? answerJson(response, 200, { status: 'alive' })
      : answerProblem(response, 503, 'unavailable'),
  );
  expect(await look(starting)).toMatchObject({
    severity: 'warning',
    summary: expect.stringContaining('is alive and not ready: it is unavailable'),
    mend: expect.any(String),
  });
});
