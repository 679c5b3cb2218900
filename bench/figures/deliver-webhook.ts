import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeData, readMessages } from '../data.ts';
import { type Figure, type FigureContext, ratios, sized } from '../figure.ts';
import { startNginx } from '../nginx.ts';
import { putWebhookRoute } from '../routes.ts';
import { rankBareLoops, runBareLoop } from '../run-bare-loop.ts';
import { deliverFile, describeLoop } from './deliver-single.ts';

export const deliverWebhook: Figure = {
  name: 'deliver-webhook',
  title: 'Delivery of webhooks with signatures, against a bare undici loop that signs, to the same nginx',
  needs: ['nginx'],
  async run(context) {
    const count = sized(context, { full: 100_000, short: 3_000 });
    const nginx = await startNginx(context.dir);
    try {
      const key = randomBytes(32).toString('base64');
      const file = await writeWebhooks(context, { url: nginx.url, count });
      const warmUp = await writeWebhooks(context, { url: nginx.url, count: Math.ceil(count / 10) });
      const posts = { url: nginx.url, ndjson: file, signedWith: key };
      const trial = sized(context, { full: 20_000, short: 1_000 });
      const ranked = await rankBareLoops({ ...posts, count: trial, short: context.short });
      for (const { settings, perSecond } of ranked)
        context.say(`${describeLoop(settings)}: ${Math.round(perSecond)}/s`);
      const { settings } = ranked[0]!;
      const { connections } = settings;
      const bare: number[] = [];
      const millrace: number[] = [];
      for (let run = 0; run < context.runs; run++) {
        const putRoute: Parameters<typeof deliverFile>[0]['putRoute'] = (server) =>
          putWebhookRoute(server, { secret: `whsec_${key}`, connections });
        const sides = [
          async () => bare.push(await runBareLoop({ ...posts, count, ...settings })),
          async () => millrace.push(await deliverFile({ context, putRoute, warmUp, file })),
        ];
        for (const side of run % 2 === 0 ? sides : sides.reverse()) await side();
        context.say(
          `run ${run + 1}: bare loop ${Math.round(bare[run]!)}/s, Millrace ${Math.round(millrace[run]!)}/s`,
        );
      }
      return {
        measurements: [
          {
            name: 'Millrace / bare loop that signs',
            unit: '',
            values: ratios(millrace, bare),
            target: { reach: 0.7, better: 'higher' },
          },
          { name: 'Millrace', unit: 'webhooks/s', values: millrace },
          { name: 'bare undici loop that signs', unit: 'POSTs/s', values: bare },
        ],
        notes: [
          `${count} webhooks to one endpoint, HMAC-SHA256; outcomes durable at the end; both sides warmed up by a tenth as many.`,
          `The fastest bare loop of all tried: ${describeLoop(settings)}. Millrace may send as many requests to the endpoint at once.`,
        ],
      };
    } finally {
      await nginx.stop();
    }
  },
};

/** The messages of the other figures as events: `{to, payload}` a line. */
async function writeWebhooks(
  context: FigureContext,
  { url, count }: { url: string; count: number },
): Promise<string> {
  const data = await makeData({ dir: context.dataDir, count });
  const messages = await readMessages(data.ndjson, count);
  const lines = messages.map(({ to, body, ref }) =>
    JSON.stringify({ to: url, payload: { type: 'message.sent', data: { to, body, ref } } }),
  );
  const file = join(context.dir, `webhooks-${count}.ndjson`);
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}
