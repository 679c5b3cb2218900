import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { until } from '../delivery/mill.ts';
import { killProcesses } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

const certificates = new URL('../connectors/certificates/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, certificates));

/** What a provider shows of itself, and why the certificate is not believed. */
const shown: [string, string | undefined][] = [
  ['self-signed', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['other-name', 'HOSTNAME_MISMATCH'],
  ['expired', 'CERT_HAS_EXPIRED'],
  ['valid', undefined],
];

let site: Site | undefined;
const providers: Server[] = [];

afterEach(async () => {
  await site?.close();
  killProcesses();
  for (const provider of providers.splice(0)) provider.close().closeAllConnections();
});

interface Provider {
  url: string;
  requests(): number;
  /** From now on its certificate is right. */
  mend(): void;
}

async function startProvider(name: string): Promise<Provider> {
  let requests = 0;
  const provider = createServer(
    { cert: read(`${name}.crt`), key: read('provider.key') },
    (request, response) => {
      requests++;
      request.resume();
      response.end('{}');
    },
  );
  providers.push(provider);
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  const { port } = provider.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}/`,
    requests: () => requests,
    mend: () => provider.setSecureContext({ cert: read('valid.crt'), key: read('provider.key') }),
  };
}

test('a certificate that is not believed is a send that never began: tried again, not uncertain, and nothing is told to whoever shows it', async () => {
  site = await createSite();
  // All but the self-signed one are of an authority that the server trusts: each is refused for its own reason.
  const env = { NODE_EXTRA_CA_CERTS: fileURLToPath(new URL('authority.crt', certificates)) };
  const server = await site.startWith({ env });
  const sent = new Map<string, { id: string; provider: Provider }>();
  for (const [route] of shown) {
    const provider = await startProvider(route);
    const options = { connector: 'http', url: provider.url, allowPrivate: true, onUncertain: 'hold' };
    const retry = { attemptsMax: 2, backoffMinMs: 1, backoffMaxMs: 20 };
    expect((await site.put(server, `/v1/routes/${route}`, { ...options, retry })).status).toBe(201);
    const answer = await site.post(server, '/v1/messages', { to: '+31612345678', route, body: 'secret' });
    const { messages } = (await answer.json()) as { messages: { id: string }[] };
    sent.set(route, { id: messages[0]!.id, provider });
  }
  for (const [route, reason] of shown) {
    const { id, provider } = sent.get(route)!;
    const message = async () => (await site!.get(server, `/v1/messages/${id}`)).json();
    await until(async () => ['sent', 'failed', 'uncertain'].includes((await message()).state));
    const { state, attempts, error, timeline } = await message();
    const requests = provider.requests();
    if (reason === undefined) {
      expect([route, state, attempts, requests]).toEqual([route, 'sent', 1, 1]);
      continue;
    }
    expect([route, state, attempts, requests]).toEqual([route, 'failed', 2, 0]);
    expect(error).toMatchObject({ code: 'tls_failure', detail: expect.stringContaining(reason) });
    const states = timeline.map((each: { state: string }) => each.state);
    expect(states).toContain('retrying');
    expect(states).not.toContain('uncertain');

    provider.mend();
    expect((await site.post(server, `/v1/messages/${id}/replay`, {})).status).toBe(200);
    await until(async () => (await message()).state === 'sent');
    expect(provider.requests()).toBe(1);
  }
  await server.stop();
});
