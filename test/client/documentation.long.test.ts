import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, expect, it } from 'vitest';
import { createSite } from '../server/several.ts';
import { documentedProgram, packedProject, run } from './packed-project.ts';

/** Packing, compiling and a server, one after the other, on a machine that is busy. */
const waitMs = 600_000;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

it(
  'does what its documentation shows, as it stands there, on a running server',
  async () => {
    const project = await packedProject();
    cleanups.push(project.remove);
    expect(await project.compile({ 'documented.ts': (await documentedProgram()) + ending })).toBe('');
    await writeFile(
      join(project.path, 'customers.csv'),
      'to,ref\n+31612345678,a\nnobody,b\n+31612345679,c\n',
    );
    const site = await createSite();
    cleanups.push(site.close);
    const server = await site.start();
    cleanups.push(server.stop);
    const route = { connector: 'http', url: `${site.sink.url}/`, allowPrivate: true };
    await site.put(server, '/v1/routes/sms', route);
    const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    const body = '{"type":"message.sent"}';
    const sentAt = new Date();
    const signature = new Webhook(secret).sign('msg_1', sentAt, body);
    const env = {
      ...{ MILLRACE_URL: server.url, MILLRACE_KEY: site.key, WEBHOOK_SECRET: secret },
      ...{ WEBHOOK_BODY: body, WEBHOOK_SIGNATURE: signature },
      WEBHOOK_TIMESTAMP: String(Math.floor(sentAt.getTime() / 1_000)),
    };
    const { stdout } = await run(process.execPath, ['documented.js'], { cwd: project.path, env });
    const told = stdout.split('\n');
    const wanted = ['2 [', '2500 of 2500', '0 1 invalid_recipient', '422 unknown_route', 'webhook 204 401'];
    expect(wanted.filter((text) => !told.some((line) => line.startsWith(text)))).toEqual([]);
    expect(stdout).toContain('the database went away');
  },
  waitMs,
);

/** Behind the examples: what they leave open is tried, and closed. */
const ending = `
await new Promise<void>((listening) => endpoint.listen(0, '127.0.0.1', listening));
const { port } = endpoint.address() as { port: number };
const post = async (body: string) => {
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': process.env.WEBHOOK_TIMESTAMP!,
    'webhook-signature': process.env.WEBHOOK_SIGNATURE!,
  };
  return (await fetch(\`http://127.0.0.1:\${port}\`, { method: 'POST', body, headers })).status;
};
console.log('webhook', await post(process.env.WEBHOOK_BODY!), await post('{}'));
endpoint.close();
client.close();
`;
