import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type TestApi } from './start-api.ts';

let api: TestApi;
let page: Awaited<ReturnType<TestApi['call']>>;
let document: { paths: Record<string, Record<string, Operation>> };

interface Operation {
  summary: string;
  parameters?: { name: string }[];
  requestBody?: { content: Record<string, { schema: { properties?: Record<string, unknown> } }> };
  responses: Record<string, { description: string }>;
}

beforeAll(async () => {
  api = await startApi();
  page = await api.call('GET', '/docs', { key: null });
  document = (await api.call('GET', '/openapi.json', { key: null })).json;
});

afterAll(() => api.stop());

/** What a reader sees of a part of the page. */
function textOf(html: string): string {
  return html
    .replace(/<[^>]+>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}

describe('the page of the API', () => {
  it('takes no key', () => {
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  });

  it('names every call of the description, with its parameters, fields, answers and errors', () => {
    const calls = [...page.text.matchAll(/<details class="call" id="([^"]+)">(.*?)\n<\/details>/gs)];
    const shown = new Map(
      calls.map(([, , html]) => [textOf(/<h3>(.*?)<\/h3>/s.exec(html!)![1]!), textOf(html!)]),
    );
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        call: `${method.toUpperCase()} ${path}`,
        operation,
      })),
    );
    expect([...shown.keys()].sort()).toEqual(operations.map(({ call }) => call).sort());
    expect(operations.length).toBeGreaterThan(40);
    expect(new Set(calls.map(([, id]) => id)).size).toBe(operations.length);
    for (const { call, operation } of operations) {
      const text = shown.get(call)!;
      const wanted = [
        operation.summary.replaceAll('`', ''),
        ...(operation.parameters ?? []).map(({ name }) => name),
        ...Object.entries(operation.requestBody?.content ?? {}).flatMap(([mediaType, { schema }]) => [
          mediaType,
          ...Object.keys(schema.properties ?? {}),
        ]),
        ...Object.keys(operation.responses),
        ...Object.values(operation.responses).flatMap(({ description }) =>
          [...description.matchAll(/`([a-z_]+)`:/g)].map(([, code]) => code!),
        ),
        'curl',
      ];
      expect(wanted.filter((part) => !text.includes(part))).toEqual([]);
    }
  });

  it('tells limits, what is required, and an example that says what to send', () => {
    const text = textOf(page.text);
    expect(text).toContain('requestsPerSecondinteger · 1 to 1,000,000');
    expect(text).toContain('connector required');
    expect(text).toContain(`-d '{"to":"+31612345678","body":"Your code is 123456","route":"sms"}'`);
    expect(text).toContain('--data-binary @messages.ndjson');
  });

  it('asks nobody else for anything, runs no script but its own, and is framed by nobody', async () => {
    const policy = page.headers.get('content-security-policy')!;
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
      ]),
    );
    expect(policy).not.toContain('unsafe');
    const references = [...page.text.matchAll(/\s(?:href|src|action|srcset|data)="([^"]*)"/g)].map(
      ([, to]) => to!,
    );
    expect(
      references.filter((to) => !/^(#[a-z0-9-]+|docs\/page\.(css|js)|openapi\.json)$/i.test(to)),
    ).toEqual([]);
    const targets = references.filter((to) => to.startsWith('#')).map((to) => `id="${to.slice(1)}"`);
    expect(targets.filter((target) => !page.text.includes(target))).toEqual([]);
    expect(page.text).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle="|\son[a-z]+="/);
    for (const [name, mediaType] of [
      ['page.css', 'text/css; charset=utf-8'],
      ['page.js', 'text/javascript; charset=utf-8'],
    ]) {
      const part = await api.call('GET', `/docs/${name}`, { key: null });
      expect([part.status, part.headers.get('content-type')]).toEqual([200, mediaType]);
      expect(part.text).not.toMatch(/https?:|\/\/[a-z]|@import|url\(|\bfetch\b|XMLHttpRequest/i);
    }
  });
});
