import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { createTestDatabase } from '../support/postgres.ts';
import { startSlowProxy } from '../support/slow-proxy.ts';
import { killProcesses, startProcess } from '../support/start-process.ts';

afterEach(killProcesses);

const key = 'memory-test-administrator-key-0123456789';
const streamBytes = 1_024 ** 3;
/** The whole flood's budget for all Millrace processes together. */
const residentBytesMax = 400 * 1_024 ** 2;
/** Far slower than one core packs, also beside other work, so that TCP has to hold the sender back. */
const databaseBytesPerSecond = 5_000_000;

test.runIf(process.platform === 'linux')(
  'a stream of 1 GB into a slow database is held back, not piled up',
  async () => {
    const { url } = await createTestDatabase();
    const proxy = await startSlowProxy(url, databaseBytesPerSecond);
    const args = ['serve', '--port', '0', '--database', proxy.url, '--data', '/tmp', '--roles', 'api'];
    const server = await startProcess([...args, '--log-level', 'warn'], { MILLRACE_ADMIN_KEY: key });
    await fetch(`${server.url}/v1/routes/slow`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true }),
    });
    const { sent, answer } = await streamLines(`${server.url}/v1/batches?route=slow`);
    expect(answer).toMatchObject({ nextLine: sent + 1, counts: { accepted: sent, rejected: 0 } });
    expect(peakResidentBytes(server.pid)).toBeLessThan(residentBytesMax);
    expect(proxy.heldBack()).toBe(true);
    expect(await server.stop()).toBe(0);
    await proxy.stop();
  },
  900_000,
);

/** Sends one block of lines over and over, as fast as the server takes it. */
async function streamLines(url: string): Promise<{ sent: number; answer: unknown }> {
  const block = Buffer.from(
    Array.from({ length: 4_000 }, (_, n) => {
      // A part that does not compress, so that the database gets its share.
      const body = `${'Your parcel is on its way and will be with you before six. '.repeat(7)}${randomBytes(45).toString('base64')}`;
      return `{"to":"+3161${String(1_000_000 + n)}","body":"${body}","ref":"parcel-${n}"}\n`;
    }).join(''),
  );
  const blocks = Math.ceil(streamBytes / block.length);
  const request = http.request(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-ndjson' },
  });
  const answered = new Promise<unknown>((resolve, reject) => {
    request.on('error', reject).on('response', async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      resolve(JSON.parse(Buffer.concat(parts).toString()));
    });
  });
  for (let index = 0; index < blocks; index++) {
    if (!request.write(block)) await new Promise((resolve) => request.once('drain', resolve));
  }
  request.end();
  return { sent: blocks * 4_000, answer: await answered };
}

/** The most memory that the process ever had, by the kernel's own book. */
function peakResidentBytes(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}
