import { afterEach, expect, test } from 'vitest';
import { killProcesses, type MillraceProcess } from '../support/start-process.ts';
import { createSite, type Site } from './several.ts';

let site: Site | undefined;
afterEach(async () => {
  await site?.close();
  site = undefined;
  killProcesses();
});

const quota = 10_000;
const linesPerUpload = 2_000;
/** A key whose server died is free after 30 s, and both servers die. */
const keyFreeMs = 150_000;
const testMs = 300_000;

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape.
  json: any;
}

interface Write {
  path: string;
  body: string;
  type: string;
  key: string;
}

function writes(): Write[] {
  const message = { to: '+31612345678', route: 'flood', body: 'x' };
  const singles = Array.from({ length: 40 }, (_, n) => ({
    ...{ path: '/v1/messages', type: 'application/json', key: `single-${n}` },
    body: JSON.stringify(Array.from({ length: 1 + (n % 40) }, () => message)),
  }));
  const uploads = Array.from({ length: 8 }, (_, n) => ({
    ...{ path: '/v1/batches?route=flood', type: 'application/x-ndjson', key: `upload-${n}` },
    body: '{"to":"+31612345678","body":"x"}\n'.repeat(linesPerUpload),
  }));
  return uploads.flatMap((upload, n) => [...singles.slice(5 * n, 5 * n + 5), upload]);
}

/** Tries with its key, on whatever server there is, until it is answered for good. */
async function settle(
  write: Write,
  { servers, key }: { servers: MillraceProcess[]; key: string },
): Promise<Answer> {
  const { path, body, type } = write;
  const headers = { authorization: `Bearer ${key}`, 'content-type': type, 'idempotency-key': write.key };
  const untilMs = performance.now() + keyFreeMs;
  for (let tries = Number(write.key.split('-')[1]); ; tries++) {
    const server = servers[tries % servers.length]!;
    try {
      const response = await fetch(server.url + path, { method: 'POST', headers, body });
      const answer: Answer = { status: response.status, json: await response.json() };
      const isOpen = answer.status >= 500 || answer.json.code === 'idempotency_in_progress';
      if (!isOpen) return answer;
      if (performance.now() > untilMs) return answer;
    } catch (error) {
      if (performance.now() > untilMs) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function acceptedOf({ status, json }: Answer): number {
  if (status === 202) return json.messages.length;
  if (status === 201) return json.counts.accepted;
  expect([status, json.code]).toEqual([429, 'quota_exceeded']);
  return json.nextLine === undefined ? 0 : json.nextLine - 1;
}

test(
  'servers that are killed amid a quota leave it exact: what was accepted, what is stored and what is charged are the same',
  async () => {
    site = await createSite();
    const servers = [await site.start('--roles', 'api'), await site.start('--roles', 'api')];
    const account = await (
      await site.post(servers[0]!, '/v1/accounts', { name: 'limited', limits: { messagesPerDay: quota } })
    ).json();
    const { id } = account as { id: string };
    const made = await site.post(servers[0]!, '/v1/keys', { accountId: id, scopes: ['send'] });
    const { key } = (await made.json()) as { key: string };
    let answered = 0;
    const answers: Promise<Answer>[] = [];
    for (const write of writes()) {
      const answer = settle(write, { servers, key });
      void answer.then(() => answered++);
      answers.push(answer);
    }
    for (const victim of [0, 1]) {
      const before = answered;
      // Amid the work: some of it has been answered since the last one, and most is open.
      while (answered < Math.min(before + 4, answers.length)) await tick();
      const dead = servers[victim]!;
      await dead.kill();
      servers[victim] = await site.start('--roles', 'api');
    }
    const accepted = (await Promise.all(answers)).map(acceptedOf);
    const [books] = await site.query(
      `SELECT (SELECT coalesce(sum(count), 0)::int FROM chunk WHERE account_id = $1) AS stored,
      (SELECT messages::int FROM account_meter WHERE account_id = $1) AS charged`,
      [Number(id)],
    );
    expect(books).toEqual({ stored: quota, charged: quota });
    expect(accepted.reduce((sum, count) => sum + count, 0)).toBe(quota);
    for (const server of servers) await server.stop();
  },
  testMs,
);

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
