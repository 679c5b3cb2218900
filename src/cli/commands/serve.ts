import { join } from 'node:path';
import { Command, Option } from 'commander';
import {
  flagOf,
  type OptionName,
  optionNames,
  optionOf,
  shownValue,
  variablesOf,
} from '../../config/options.ts';
import { type Config, resolveConfig } from '../../config/resolve-config.ts';
import { describeUnknownVariable, unknownVariables } from '../../config/unknown-variables.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { withExamples, withJson } from '../flags.ts';
import { spawnDeliveries } from '../spawn-deliveries.ts';
import { aborted, stopWithParent } from '../stop-signal.ts';

/**
 * Messages in flight get their answer, outcomes are flushed, leases given back; then the process ends anyhow. Kubernetes kills
 * after 30 s, which leaves 5 s for `shutdownDelayMs`.
 */
const stopMaxMs = 25_000;

export function serveCommand(context: CommandContext): Command {
  const command = withServeOptions(new Command('serve').description('run the server'));
  withJson(command)
    .option('--stop-with-parent', 'stop when the process that started this one ends (needs its IPC channel)')
    .addOption(new Option('--child', 'a further process of a server, which alone starts it').hideHelp())
    .action((flags: ServeFlags) => (flags.child ? serveChild(context, flags) : serve(context, flags)));
  return withExamples(
    command,
    'serve',
    'serve --port 9000 --database postgres://millrace:secret@db.internal/millrace',
    'serve --config /etc/millrace.json --host 0.0.0.0',
  );
}

type ServeFlags = Partial<Record<OptionName | 'config', string>> & {
  json?: boolean;
  stopWithParent?: boolean;
  child?: boolean;
};

/** The server's options, for every command that reads the same configuration. */
export function withServeOptions(command: Command): Command {
  for (const name of optionNames) {
    const option = optionOf(name);
    if (option.withoutFlag) continue;
    const byDefault = option.default === undefined ? '' : ` (default: ${shownValue(name, option.default)})`;
    command.option(`--${flagOf(name)} ${option.placeholder}`, `${option.doc}${byDefault}`);
  }
  return command
    .option('--config <file>', 'JSON file of options; environment and flags win over it')
    .addHelpText('after', variablesHelp());
}

function variablesHelp(): string {
  const unflagged = optionNames.filter((name) => optionOf(name).withoutFlag);
  const secrets = unflagged.map((name) => `${variablesOf(name)[0]} (${optionOf(name).doc})`);
  return (
    '\nEvery option has a variable too: --lease-ms is MILLRACE_LEASE_MS; millrace config show names them all. By variable or file alone:\n' +
    secrets.map((line) => `  ${line}`).join('\n')
  );
}

export function configOf(context: CommandContext, flags: ServeFlags): Config {
  const { json: _json, stopWithParent: _stopWithParent, child: _child, ...options } = flags;
  return resolveConfig({ flags: options, env: context.environment });
}

async function serve(context: CommandContext, flags: ServeFlags): Promise<void> {
  const config = configOf(context, flags);
  const signal = flags.stopWithParent ? stopWithParent(context.signal) : context.signal;
  // Loaded here, so that the commands of a client do not wait for a server to be read from disk.
  const { runServer } = await import('../../app.ts');
  const server = await unlessStopped(
    runServer(config, {
      spawn: (access) => spawnDeliveries(context, { config, ...access }),
      warnings: unknownVariables(context.environment).map(describeUnknownVariable),
      signal,
    }),
    signal,
  );
  if (server === undefined) return;
  const { url = null, probesOnly, madeAdminKey: adminKey } = server;
  const { out } = context.terminal;
  if (flags.json) out.write(`${JSON.stringify({ url, pid: process.pid, adminKey })}\n`);
  else {
    if (url === null)
      out.write('Millrace delivers, without an API (--port N serves /livez, /readyz and /metrics)\n');
    else if (probesOnly)
      out.write(`Millrace delivers, without an API; /livez, /readyz and /metrics are on ${url}\n`);
    else out.write(`Millrace listens on ${url}\n`);
    if (adminKey !== undefined) {
      const path = join(config.data, 'admin.key');
      out.write(`The administrator key, shown this once and kept in ${path}:\n${adminKey}\n`);
    }
  }
  await aborted(signal);
  await stopWithin(config.shutdownDelayMs + stopMaxMs, server.stop());
}

/** Its configuration comes in its environment, its word of new chunks by the IPC channel, which is its lifeline too. */
async function serveChild(context: CommandContext, flags: ServeFlags): Promise<void> {
  const config = configOf(context, flags);
  const signal = stopWithParent(context.signal);
  const { runDeliveries } = await import('../../app.ts');
  const deliveries = await unlessStopped(runDeliveries(config, { server: process, signal }), signal);
  if (deliveries === undefined) return;
  await aborted(signal);
  await stopWithin(stopMaxMs, deliveries.stop());
}

/** Undefined when it was asked to stop as it started: it did as it was asked. */
async function unlessStopped<T>(starting: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await starting;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return undefined;
    throw error;
  }
}

async function stopWithin(limitMs: number, stopping: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const failure = new Failure(`the server did not stop within ${limitMs / 1_000} s`, {
      hint: 'Nothing accepted is lost: its shards are taken over when their lease has run out.',
    });
    timer = setTimeout(() => reject(failure), limitMs);
  });
  try {
    await Promise.race([stopping, late]);
  } finally {
    clearTimeout(timer);
  }
}
