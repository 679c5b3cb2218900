import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { actFor, apiKey, signOut } from '../../api/session.ts';
import type { OpenedFile } from './open-file.ts';
import { beginUpload, forgetUpload, running } from './running-upload.ts';
import { noOptions } from './send-options.ts';

vi.hoisted(() => {
  Object.assign(globalThis, {
    sessionStorage: { getItem: () => null, setItem() {}, removeItem() {} },
    document: { baseURI: 'http://server.test/' },
  });
});

beforeEach(() => {
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('removeEventListener', () => {});
});

afterEach(() => {
  vi.unstubAllGlobals();
  forgetUpload();
  signOut();
});

interface Asked {
  path: string;
  headers: Record<string, string>;
}

/** Answers each request as the test says, and keeps what was asked. */
function server(answer: (path: string, asked: Asked[]) => Response): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    asked.push({ path: url.pathname, headers: init.headers as Record<string, string> });
    return answer(url.pathname, asked);
  });
  return asked;
}

const file = new File(['{"to":"+31612345678"}\n'], 'one.ndjson');
const opened: OpenedFile = { file, format: 'ndjson', dataStart: 0, columns: [], rows: [], lines: [] };
const send = () => beginUpload({ opened, options: noOptions, mapped: [], key: 'k' });
const counts = { accepted: 1, rejected: 0 };

function fine(path: string): Response {
  if (path === '/v1/batches') return Response.json({ id: 'b' }, { status: 201 });
  return Response.json(path.endsWith('/close') ? { counts } : { ...counts, nextLine: 2, errors: [] });
}

test('a second click sends nothing, and all of an upload goes to the account that it began with', async () => {
  apiKey.value = 'key';
  actFor('first');
  const asked = server((path) => {
    actFor('second');
    return fine(path);
  });
  await Promise.all([send(), send()]);
  const paths = asked.map(({ path }) => path);
  expect(paths).toEqual(['/v1/batches', '/v1/batches/b/messages', '/v1/batches/b/close']);
  expect(asked.map(({ headers }) => headers['millrace-account'])).toEqual(['first', 'first', 'first']);
  expect(running.value).toMatchObject({ ended: 'done', batch: 'b', progress: counts });
});

test('a batch whose making got no answer is made under the same key again', async () => {
  apiKey.value = 'key';
  const asked = server((path, { length }) => {
    if (length === 1) throw new TypeError('cut');
    return fine(path);
  });
  await send();
  expect(running.value).toMatchObject({ ended: 'refused', problem: { code: 'unreachable' } });
  await send();
  expect(running.value).toMatchObject({ ended: 'done', problem: undefined });
  expect(asked.slice(0, 2).map(({ headers }) => headers['idempotency-key'])).toEqual(['k', 'k']);
});

test('a batch whose closing got no answer is closed again', async () => {
  apiKey.value = 'key';
  const asked = server((path, { length }) => {
    if (length === 3) throw new TypeError('cut');
    return fine(path);
  });
  await send();
  expect(asked.slice(2).map(({ path }) => path)).toEqual(['/v1/batches/b/close', '/v1/batches/b/close']);
  expect(running.value).toMatchObject({ ended: 'done', progress: counts });
});

test('who signs out ends the upload, and leaves nothing of it to see', async () => {
  apiKey.value = 'key';
  const asked = server((path) => {
    if (path === '/v1/batches') signOut();
    return fine(path);
  });
  await send();
  expect(asked.map(({ path }) => path)).toEqual(['/v1/batches']);
  expect(running.value).toBeNull();
});
