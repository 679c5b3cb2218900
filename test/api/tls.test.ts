import { readFile } from 'node:fs/promises';
import { get } from 'node:https';
import { expect, test } from 'vitest';
import { startApi } from './start-api.ts';

/** Made for this test, valid for a hundred years, trusted by nobody. */
const read = (name: string) => readFile(new URL(`tls/${name}`, import.meta.url), 'utf8');

test('with a certificate the server speaks TLS, and nothing else', async () => {
  const [cert, key] = await Promise.all([read('localhost.crt'), read('localhost.key')]);
  const api = await startApi({ tls: { cert, key } });
  try {
    const url = new URL(api.url);
    expect(url.protocol).toBe('https:');
    const status = await new Promise((resolve, reject) => {
      get(new URL('/livez', url), { ca: cert, agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).on('error', reject);
    });
    expect(status).toBe(200);
    await expect(fetch(`http://127.0.0.1:${url.port}/livez`)).rejects.toThrow();
  } finally {
    await api.stop();
  }
});
