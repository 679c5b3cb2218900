import { createWriteStream, existsSync, renameSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { generate } from '../data.ts';
import { type Figure, type FigureContext, ratios, sized } from '../figure.ts';
import { checkLedger } from '../ledger.ts';
import { type Millrace, startMillrace, startSink } from '../millrace.ts';
import { floodRoute, putBatchedRoute } from '../routes.ts';

const drainTimeoutMs = 1_200_000;
const templateName = 'parcel';
/** Some 200 characters: what is stored once, and not with each message. */
const templateBody =
  'Hi {{ name }}, your order {{ order }} is on its way and will be with you today between 14:00 and 18:00. Show the code ' +
  '{{ code }} at the door{% if note %} ({{ note }}){% endif %}. Reply STOP to get no more of these messages.';

export const templates: Figure = {
  name: 'templates',
  title: 'A flood with a shared template: what it stores, and how fast it leaves against the same texts',
  needs: ['psql'],
  async run(context) {
    const count = sized(context, { full: context.messages, short: 20_000 });
    const files = await makeFiles({ dir: context.dataDir, count });
    const withTemplate: number[] = [];
    const withText: number[] = [];
    let stored = { template: 0, text: 0 };
    for (let run = 0; run < context.runs; run++) {
      const template = await flood(context, { file: files.params, count, template: templateName });
      const text = await flood(context, { file: files.texts, count });
      withTemplate.push(template.perSecond);
      withText.push(text.perSecond);
      stored = { template: template.bytes, text: text.bytes };
      context.say(
        `run ${run + 1}: ${Math.round(template.perSecond)}/s, text ${Math.round(text.perSecond)}/s`,
      );
    }
    return {
      measurements: [
        {
          name: 'stored with the template',
          unit: 'bytes/message',
          values: [stored.template],
          target: { reach: 40, better: 'lower' },
        },
        { name: 'stored as texts', unit: 'bytes/message', values: [stored.text] },
        { name: 'delivered with the template', unit: 'messages/s', values: withTemplate },
        { name: 'delivered as texts', unit: 'messages/s', values: withText },
        { name: 'template / texts', unit: '', values: ratios(withTemplate, withText) },
      ],
      notes: [
        `${count} messages of a recipient, a name, an order number and a code; rendered they are some 220 characters.`,
        'Stored is what pg_database_size grows by until all are accepted: chunks, filters, slots, pending keys and indexes.',
        'Delivery is from the closing of a waiting batch to the last recorded outcome, 500 a POST; the ledger must show each once.',
      ],
    };
  },
};

async function flood(
  context: FigureContext,
  { file, count, template }: { file: string; count: number; template?: string },
): Promise<{ bytes: number; perSecond: number }> {
  const database = await context.server.create('bench_millrace');
  const sink = await startSink();
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    await putBatchedRoute(millrace, sink.url);
    await makeTemplate(millrace);
    const meter = await database.startMeter();
    const batch = await millrace.uploadOpen(floodRoute, file, template === undefined ? {} : { template });
    const bytes = (await meter.read()).databaseBytes / count;
    await context.server.checkpoint();
    const startedMs = performance.now();
    await millrace.closeBatch(batch.id);
    await millrace.waitSent(batch.id, drainTimeoutMs);
    const perSecond = count / ((performance.now() - startedMs) / 1_000);
    await checkLedger(sink.url, count);
    return { bytes, perSecond };
  } finally {
    await millrace.stop();
    await sink.stop();
    await database.drop();
  }
}

async function makeTemplate(millrace: Millrace): Promise<void> {
  const body = { name: templateName, channel: 'sms', body: templateBody };
  await millrace.call('POST', '/v1/templates', { body });
}

const names = 'Anna Bram Chloë Daan Emma Finn Greta Hugo Iris Jan Katja Lars Maja Noah Olivia Pieter'.split(
  ' ',
);

/** The same messages twice: as parameters, and as the texts that the template makes of them. */
async function makeFiles({
  dir,
  count,
}: {
  dir: string;
  count: number;
}): Promise<{ params: string; texts: string }> {
  await mkdir(dir, { recursive: true });
  const base = join(dir, `templates-v1-${count}`);
  const files = { params: `${base}.params.ndjson`, texts: `${base}.texts.ndjson` };
  await writeLines(
    files.params,
    linesOf(count, ({ to, params }) => ({ to, params })),
  );
  await writeLines(
    files.texts,
    linesOf(count, ({ to, text }) => ({ to, body: text })),
  );
  return files;
}

interface Order {
  to: string;
  params: { name: string; order: string; code: string };
  text: string;
}

function* linesOf(count: number, show: (order: Order) => object): Generator<string> {
  let block = '';
  for (const { id, to, ref } of generate(count)) {
    const name = names[id % names.length]!;
    // As random as the recipient, whatever the generator's texts are.
    const code = String(100_000 + ((Number(to.slice(-8)) * 7_919) % 900_000));
    const params = { name, order: ref, code };
    const text = templateBody
      .replace(/\{% if note %\}.*\{% endif %\}/, '')
      .replace('{{ name }}', name)
      .replace('{{ order }}', ref)
      .replace('{{ code }}', code);
    block += `${JSON.stringify(show({ to, params, text }))}\n`;
    if (block.length < 1 << 20) continue;
    yield block;
    block = '';
  }
  yield block;
}

async function writeLines(file: string, lines: Iterable<string>): Promise<void> {
  if (existsSync(file)) return;
  const part = `${file}.part`;
  // On the disk before anything is measured.
  await pipeline(Readable.from(lines), createWriteStream(part, { flush: true }));
  renameSync(part, file);
}
