import { type Data, makeData } from '../data.ts';
import { type Figure, type FigureContext, ratios } from '../figure.ts';
import { type Batch, type Millrace, startMillrace } from '../millrace.ts';
import { floodRoute, putIdleRoute } from '../routes.ts';
import { createRowTable } from '../row-table.ts';

/** Recipients that are looked up after each acceptance, to show that the messages are findable. */
const samplesChecked = 50;

export const accept: Figure = {
  name: 'accept',
  title: 'Time to accept the flood over HTTP, against psql \\copy of the same rows',
  needs: ['psql'],
  async run(context) {
    const data = await makeData({ dir: context.dataDir, count: context.messages });
    const copySeconds: number[] = [];
    const acceptSeconds: number[] = [];
    for (let run = 0; run < context.runs; run++) {
      // The two sides take turns at going first: the machine may be warmer, or busier, later.
      const sides = [
        async () => copySeconds.push(await copyRows(context, data)),
        async () => acceptSeconds.push(await acceptOverHttp(context, data)),
      ];
      for (const side of run % 2 === 0 ? sides : sides.reverse()) await side();
      context.say(
        `run ${run + 1}: \\copy ${copySeconds[run]?.toFixed(2)} s, accept ${acceptSeconds[run]?.toFixed(2)} s`,
      );
    }
    return {
      measurements: [
        {
          name: 'accept / \\copy',
          unit: '',
          values: ratios(acceptSeconds, copySeconds),
          target: { reach: 0.6, aim: 0.35, better: 'lower' },
        },
        { name: 'accepted over HTTP', unit: 's', values: acceptSeconds },
        { name: 'psql \\copy', unit: 's', values: copySeconds },
      ],
      notes: [
        `${data.count} messages of 128 bytes a line; one-shot NDJSON upload; delivery begins after the answer.`,
        `After each answer the batch's counts and ${samplesChecked} searches by recipient must find what was sent.`,
      ],
    };
  },
};

async function copyRows(context: FigureContext, data: Data): Promise<number> {
  const database = await context.server.create('bench_rows');
  try {
    await createRowTable(database);
    await context.server.checkpoint();
    return (await database.copy('message', data.tsv)) / 1_000;
  } finally {
    await database.drop();
  }
}

/** Seconds from the first byte sent to the answer that counts every message, on a server that was just started. */
export async function acceptOverHttp(context: FigureContext, data: Data): Promise<number> {
  const database = await context.server.create('bench_millrace');
  const millrace = await startMillrace({ databaseUrl: database.url, dir: context.dir });
  try {
    await putIdleRoute(millrace);
    await context.server.checkpoint();
    const startedMs = performance.now();
    const batch = await millrace.uploadOneShot({ route: floodRoute, file: data.ndjson, start: 'close' });
    const seconds = (performance.now() - startedMs) / 1_000;
    await checkFindable({ millrace, batch, data });
    return seconds;
  } finally {
    await millrace.stop();
    await database.drop();
  }
}

async function checkFindable(options: { millrace: Millrace; batch: Batch; data: Data }): Promise<void> {
  const { millrace, data } = options;
  const { counts } = await millrace.batch(options.batch.id);
  if (counts.accepted !== data.count || counts.rejected !== 0) {
    throw new Error(`${data.count} messages were sent, the batch counts ${JSON.stringify(counts)}`);
  }
  const every = Math.max(1, Math.floor(data.samples.length / samplesChecked));
  for (const sample of data.samples.filter((_, index) => index % every === 0)) await millrace.find(sample);
}
