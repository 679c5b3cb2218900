import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { killProcesses } from '../test/support/start-process.ts';
import { type Claim, claimSlot } from './claim.ts';
import { watchLab } from './live-picture.ts';
import { everyPromiseHeld, renderReport } from './report.ts';
import { findTools, proveNamespaces, type Tools, Unsuitable } from './requirements.ts';
import { keepLogs, runLab, writeReport } from './run-lab.ts';
import { scenarios } from './scenarios/catalogue.ts';
import type { Scenario } from './scenarios/scenario.ts';
import { renderTimeline } from './timeline-svg.ts';

const defaultFlood = 40_000;
const floodMax = 1_000_000;

const usage = `usage: npx millrace lab [scenario…] [options]

Three nodes, each with etcd, Patroni and PostgreSQL, behind HAProxy, in network namespaces of this machine. While a steady
writer, steady readers and a flood go through Millrace, something fails; then the books are compared. Without a scenario
all of them run on one cluster, which takes about ${Math.ceil(scenarios.length * 0.9)} minutes.

scenarios:
${scenarios.map(({ name, title }) => `  ${name.padEnd(28)}${title}`).join('\n')}

  --json              the report as JSON on standard output, nothing else
  --dir <directory>   where report, pictures and logs go (build/lab/<time> in the clone)
  --messages <n>      messages of each scenario's flood (${defaultFlood})
  --watchdog <device> give Patroni this watchdog: it restarts this whole machine when Patroni is killed
  --keep              leave the databases in the temporary directory

Needs Linux, root, and the programs that it names when they are absent. It listens in namespaces of its own alone, and
removes them, their links and processes when it ends, is interrupted, or was killed the time before.
Exit status: 0 when every promise held, 1 when not, 2 for wrong usage or a machine that lacks something.
`;

interface Options {
  scenarios: readonly Scenario[];
  json: boolean;
  keep: boolean;
  directory: string;
  messages: number;
  watchdog: string | undefined;
}

// What was broken off may still be waiting for something: it is not waited for.
process.exit(await main(process.argv.slice(2)));

async function main(argv: string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = parseOptions(argv);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (!options) {
    process.stdout.write(usage);
    return 0;
  }
  const interruption = interrupted();
  try {
    const tools = findTools();
    await proveNamespaces(tools, `mrlabtry${process.pid % 100_000}`);
    const claim = await claimSlot(tools);
    return await inClaim({ options, tools, claim, signal: interruption });
  } catch (error) {
    process.stderr.write(
      `${interruption.aborted ? interruption.reason.message : (error as Error).message}\n`,
    );
    return error instanceof Unsuitable ? 2 : 1;
  }
}

async function inClaim(given: {
  options: Options;
  tools: Tools;
  claim: Claim;
  signal: AbortSignal;
}): Promise<number> {
  const { options, tools, claim, signal } = given;
  const { directory, keep, json } = options;
  try {
    const report = await runLab({
      ...{ tools, claim, signal, events: watchLab() },
      ...{ scenarios: options.scenarios, floodMessages: options.messages, watchdog: options.watchdog },
    });
    const text = renderReport(report);
    writeReport(directory, 'report.json', `${JSON.stringify(report)}\n`);
    writeReport(directory, 'report.md', text);
    for (const scenario of report.scenarios)
      writeReport(directory, `${scenario.name}.svg`, renderTimeline(scenario));
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : text);
    return everyPromiseHeld(report) ? 0 : 1;
  } finally {
    killProcesses();
    keepLogs(claim, join(directory, 'logs'));
    await claim.release({ keepDirectory: keep });
    process.stderr.write(`Report, pictures and logs are in ${directory}\n`);
    if (keep) process.stderr.write(`The databases are in ${claim.directory}\n`);
  }
}

/** Aborted by the first Ctrl-C or SIGTERM. Further ones change nothing: all is being cleared away. */
function interrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => controller.abort(new Error(`broken off by ${name}`)));
  }
  return controller.signal;
}

function parseOptions(argv: string[]): Options | undefined {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      dir: { type: 'string' },
      messages: { type: 'string', default: String(defaultFlood) },
      watchdog: { type: 'string' },
    },
  });
  if (values.help) return undefined;
  const messages = Number(values.messages);
  if (!Number.isInteger(messages) || messages < 1 || messages > floodMax) {
    throw new Error(`--messages takes a whole number from 1 to ${floodMax}, not ${values.messages}`);
  }
  return {
    scenarios: positionals.length === 0 ? scenarios : positionals.map(findScenario),
    ...{ json: values.json, keep: values.keep, messages, watchdog: values.watchdog },
    directory: values.dir ?? defaultDirectory(),
  };
}

function findScenario(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (!found) throw new Error(`no scenario is called ${name}`);
  return found;
}

function defaultDirectory(): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  return fileURLToPath(new URL(`../build/lab/${time}`, import.meta.url));
}
