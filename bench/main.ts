import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { figures } from './catalogue.ts';
import { killChildren } from './child.ts';
import { connectServer } from './database.ts';
import type { Figure, FigureContext } from './figure.ts';
import { describeMachine, type FigureReport, type Report, renderFigure, renderMarkdown } from './report.ts';
import { requirePrograms } from './requirements.ts';
import { installPeers } from './run-peer.ts';

const usage = `usage: npx tsx bench/main.ts [name…] [options]

  --json              the report as JSON on standard output, nothing else
  --short             small sizes: seconds, to see that the figures work
  --runs <n>          repetitions where two sides take turns (3; short: 1)
  --messages <n>      size of the flood (4000000; short: 20000)
  --database <url>    a PostgreSQL 15 or newer to measure on, as a superuser, instead of one of its own

names: ${figures.map(({ name }) => name).join(', ')}
`;

const resultsDir = fileURLToPath(new URL('./results/', import.meta.url));

// A figure that was broken off may still be waiting for something: it is not waited for.
process.exit(await main(process.argv.slice(2)));

async function main(argv: string[]): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const say = (line: string) => process.stderr.write(`${line}\n`);
  try {
    requirePrograms([...new Set(options.figures.flatMap(({ needs }) => needs))]);
    if (options.figures.some(({ peers }) => peers)) await installPeers(say);
    const report = await measure(options, say);
    keep(report);
    if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    else process.stdout.write(`${renderMarkdown(report)}\n`);
    return report.failures.length === 0 ? 0 : 1;
  } catch (error) {
    say((error as Error).message);
    return 1;
  }
}

interface Options {
  figures: readonly Figure[];
  json: boolean;
  short: boolean;
  help: boolean;
  runs: number;
  messages: number;
  database: string | undefined;
}

function parseOptions(argv: string[]): Options {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      runs: { type: 'string' },
      messages: { type: 'string' },
      database: { type: 'string' },
    },
  });
  const { json, short, help, database } = values;
  return {
    figures: positionals.length === 0 ? figures : positionals.map(findFigure),
    json,
    short,
    help,
    runs: positive('--runs', values.runs ?? (short ? '1' : '3')),
    messages: positive('--messages', values.messages ?? (short ? '20000' : '4000000')),
    database,
  };
}

function findFigure(name: string): Figure {
  const found = figures.find((figure) => figure.name === name);
  if (!found) throw new Error(`no figure is called ${name}`);
  return found;
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`${option} takes a whole number from 1, not ${text}`);
  return value;
}

async function measure(options: Options, say: (line: string) => void): Promise<Report> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const postgres = await startPostgres(options, dir);
  try {
    return await Promise.race([measureAll({ options, dir, url: postgres.url, say }), interrupted()]);
  } finally {
    killChildren();
    await postgres.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measureAll(given: {
  options: Options;
  dir: string;
  url: string;
  say: (line: string) => void;
}): Promise<Report> {
  const { options, dir, url, say } = given;
  const { short, runs, messages } = options;
  const server = await connectServer(url);
  const context = { short, runs, messages, dir, dataDir: join(tmpdir(), 'millrace-bench-data'), server, say };
  const machine = describeMachine(server.version);
  const report: Report = {
    at: new Date().toISOString(),
    short,
    runs,
    messages,
    machine,
    figures: [],
    failures: [],
  };
  for (const figure of options.figures) {
    say(`\n${figure.name}: ${figure.title}`);
    await measureOne({ figure, context, report });
  }
  await server.close();
  return report;
}

/** Rejects at the first Ctrl-C or SIGTERM, so that servers are stopped and files removed all the same. */
function interrupted(): Promise<never> {
  return new Promise((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => reject(new Error(`broken off by ${signal}`)));
    }
  });
}

/** A figure that fails is reported as such; the others still count. */
async function measureOne(options: {
  figure: Figure;
  context: FigureContext;
  report: Report;
}): Promise<void> {
  const { figure, context, report } = options;
  const { name, title } = figure;
  const startedMs = performance.now();
  try {
    const result = await figure.run(context);
    const entry: FigureReport = { name, title, seconds: (performance.now() - startedMs) / 1_000, ...result };
    report.figures.push(entry);
    context.say(renderFigure(entry).slice(2).join('\n'));
  } catch (error) {
    const { message } = error as Error;
    report.failures.push({ name, error: message });
    context.say(`${name} failed: ${message}`);
  }
}

async function startPostgres(
  { database, short }: Pick<Options, 'database' | 'short'>,
  dir: string,
): Promise<{ url: string; stop(): Promise<void> }> {
  if (database !== undefined) return { url: database, stop: async () => {} };
  const { startEmbedded } = await import('../src/embedded/start-embedded.ts');
  // A short run measures nothing, and makes dozens of databases.
  return await startEmbedded({ dataDir: dir, ...(short && { settings: { fsync: false } }) });
}

function keep(report: Report): void {
  mkdirSync(resultsDir, { recursive: true });
  const names =
    report.figures.length === figures.length ? 'all' : report.figures.map(({ name }) => name).join('+');
  const base = join(
    resultsDir,
    `${report.at.replaceAll(':', '')}-${names || 'none'}${report.short ? '-short' : ''}`,
  );
  writeFileSync(`${base}.json`, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(`${base}.md`, `${renderMarkdown(report)}\n`);
}
