import { afterEach, expect, test, vi } from 'vitest';
import { uploadFile } from './upload-file.ts';

vi.hoisted(() => {
  Object.assign(globalThis, {
    sessionStorage: { getItem: () => null, setItem() {}, removeItem() {} },
    document: { baseURI: 'http://server.test/' },
  });
});

afterEach(() => vi.unstubAllGlobals());

/** A batch as the server keeps it: lines that are durable, and faults on the way, one for each request. */
function server(faults: ('refused' | 'cut' | 'slow' | 'fine')[]) {
  const lines: string[] = [];
  const requests: string[] = [];
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    const next = () => lines.length + 2;
    if (init.method === 'GET') return Response.json({ nextLine: next() });
    const headers = init.headers as Record<string, string>;
    const [header, ...sent] = (await (init.body as Blob).text()).split('\n');
    requests.push(headers['upload-line']!);
    expect([url.pathname, header, sent.pop()]).toEqual(['/v1/batches/b/messages', 'to', '']);
    const first = Number(headers['upload-line']);
    if (Math.max(first, 2) !== next()) {
      return Response.json({ code: 'upload_line_mismatch', detail: 'no', nextLine: next() }, { status: 409 });
    }
    const fault = faults.shift() ?? 'fine';
    if (fault === 'refused') throw new TypeError('no way');
    // Some lines are durable when the way breaks.
    lines.push(...(fault === 'fine' ? sent : sent.slice(0, 3)));
    if (fault === 'cut') throw new TypeError('cut');
    if (fault === 'slow') {
      const problem = { code: 'request_timeout', detail: 'too slow', nextLine: next() };
      return Response.json(problem, { status: 408 });
    }
    return Response.json({ accepted: sent.length, rejected: 0, nextLine: next(), errors: [] });
  });
  return { lines, requests };
}

const wanted = Array.from({ length: 1_000 }, (_, n) => `+3161234${1_000 + n}`);

const upload = (waits: (string | undefined)[]) =>
  uploadFile({
    file: new File([`phone\n${wanted.map((line) => `${line}\n`).join('')}`], 'people.csv'),
    format: 'csv',
    dataStart: 'phone\n'.length,
    header: 'to\n',
    batch: 'b',
    account: null,
    signal: new AbortController().signal,
    onProgress: ({ waiting }) => waits.push(waiting),
  });

test.each(['cut', 'slow'] as const)(
  'an upload that breaks (%s) goes on at the line that is not durable, and takes none twice',
  async (broken) => {
    const { lines, requests } = server(['refused', broken, 'fine']);
    const waits: (string | undefined)[] = [];
    await upload(waits);
    expect(lines).toEqual(wanted);
    expect(requests).toEqual(['1', '1', '5']);
    expect(waits.filter((text) => text !== undefined)).toHaveLength(2);
    expect(waits.at(-1)).toBeUndefined();
  },
);

test('what the server refuses for good is told at once, and not tried again', async () => {
  let requests = 0;
  vi.stubGlobal('fetch', async () => {
    requests++;
    return Response.json({ code: 'quota_exceeded', detail: 'Enough.' }, { status: 429 });
  });
  await expect(upload([])).rejects.toMatchObject({ code: 'quota_exceeded' });
  expect(requests).toBe(1);
});
