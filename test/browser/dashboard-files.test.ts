import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApi, type TestApi } from '../api/start-api.ts';

const built = join(import.meta.dirname, '../../dist/dashboard');
const gzippedBytesMax = 100_000;
let api: TestApi;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

function files(): { path: string; bytes: Buffer }[] {
  return readdirSync(built, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => ({ path: path.slice(built.length + 1), bytes: readFileSync(path) }));
}

test('the dashboard is small, all of it', () => {
  const all = files();
  expect(all.map(({ path }) => path)).toContain('index.html');
  const bytes = all.reduce((sum, file) => sum + gzipSync(file.bytes).length, 0);
  expect(bytes).toBeGreaterThan(10_000);
  expect(bytes).toBeLessThan(gzippedBytesMax);
});

test('every file of it is served, packed where the browser takes that, and needs no key', async () => {
  for (const { path, bytes } of files()) {
    const url = `${api.url}/${path === 'index.html' ? '' : path}`;
    const response = await fetch(url);
    expect(response.status, path).toBe(200);
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes), path).toBe(true);
    const plain = await fetch(url, { headers: { 'accept-encoding': 'identity' } });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(Buffer.from(await plain.arrayBuffer()).equals(bytes), path).toBe(true);
    const etag = response.headers.get('etag')!;
    expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
    const kept = response.headers.get('cache-control');
    expect(kept).toBe(path.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
  }
});

test('the page lets nothing in that is inline or of elsewhere', async () => {
  const page = await api.call('GET', '/', { key: null });
  const policy = page.headers.get('content-security-policy')!;
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("connect-src 'self'");
  expect(policy).not.toMatch(/unsafe|http|\*|data:/);
  expect(page.text).not.toMatch(/<script(?![^>]*src=)|<style|style="|\son\w+="|https?:\/\//);
  for (const [, address] of page.text.matchAll(/(?:src|href)="([^"]+)"/g)) expect(address).toMatch(/^\.\//);
});

test('what is not of the dashboard is not served beside it', async () => {
  for (const path of ['/index.html', '/assets/', '/assets/..%2f..%2fpackage.json', '/assets/nothing.js']) {
    expect((await api.call('GET', path, { key: null })).status, path).toBe(404);
  }
});
