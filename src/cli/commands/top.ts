import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { unlessAborted } from '../../lib/unless-aborted.ts';
import type { CommandContext } from '../command-context.ts';
import { type AccountOptions, decimalNumber, withAnyAccount, withExamples } from '../flags.ts';
import { mayPass } from '../may-pass.ts';
import { printResult } from '../output.ts';
import { connect, findServer } from '../server-access.ts';
import { floodLine, floodLines } from '../top/describe-flood.ts';
import { type Flood, floodReader } from '../top/read-flood.ts';
import { openScreen } from '../top/screen.ts';

interface TopFlags extends AccountOptions {
  every: number;
  once?: boolean;
}

/** As long as a restart of the server or a failover of its database may last. */
const awayMaxMs = 300_000;

export function topCommand(context: CommandContext): Command {
  const command = withAnyAccount(new Command('top'))
    .description(
      'the flood as it flows: what waits, routes with their breakers, lanes, owners; q ends it. A line at a time where there is no terminal, or JSON',
    )
    .option('--every <seconds>', 'time between two looks', decimalNumber(0.5, 3_600), 1)
    .option('--once', 'look once and end')
    .action((flags: TopFlags) => top(context, flags));
  return withExamples(command, 'top', 'top --once', 'top --json --every 10 >> flood.ndjson');
}

async function top(context: CommandContext, flags: TopFlags): Promise<void> {
  const { terminal } = context;
  const { url } = findServer(context, flags);
  const read = floodReader(connect(context, flags), url);
  if (flags.once) {
    const render = (flood: Flood) => floodLines(flood, terminal).join('\n');
    printResult(context, await read(), { json: flags.json, render });
  } else if (flags.json || !terminal.screen) {
    const write = (flood: Flood) => (flags.json ? JSON.stringify(flood) : `${flood.at} ${floodLine(flood)}`);
    await follow(
      { read, ...context, everyMs: flags.every * 1_000 },
      {
        onFlood: (flood) => void terminal.out.write(`${write(flood)}\n`),
        onWait: (error) => void terminal.err.write(`${error.message}; waiting for the server\n`),
      },
    );
  } else await draw(context, { url, read, everyMs: flags.every * 1_000 });
}

async function draw(
  context: CommandContext,
  { url, ...at }: { url: string; read: () => Promise<Flood>; everyMs: number },
): Promise<void> {
  const { terminal } = context;
  // What cannot be read at all is told where it stays to be read.
  const first = await at.read();
  const quit = new AbortController();
  const screen = openScreen(context, () => quit.abort());
  const titled = (flood: Flood, told: string) => [
    `${terminal.style('bold', 'millrace top')}  ${url}  ${flood.at.slice(11, 19)} UTC  ${told}`,
    ...floodLines(flood, terminal),
  ];
  let last = first;
  try {
    screen.draw(titled(first, 'q ends'));
    await follow(
      { ...at, signal: AbortSignal.any([context.signal, quit.signal]) },
      {
        onFlood(flood) {
          last = flood;
          screen.draw(titled(flood, 'q ends'));
        },
        onWait: () => screen.draw(titled(last, terminal.style('yellow', 'waiting for the server'))),
      },
    );
  } finally {
    screen.close();
  }
}

/** Looks again and again until the signal, which is how it ends well; a server that is away comes back. */
async function follow(
  at: { read: () => Promise<Flood>; everyMs: number; signal: AbortSignal },
  { onFlood, onWait }: { onFlood: (flood: Flood) => void; onWait: (error: Error) => void },
): Promise<void> {
  const { read, everyMs, signal } = at;
  let awaySinceMs: number | undefined;
  while (!signal.aborted) {
    try {
      onFlood(await unlessAborted(read(), signal));
      awaySinceMs = undefined;
      await sleep(everyMs, undefined, { signal });
    } catch (error) {
      if (signal.aborted) return;
      const nowMs = performance.now();
      if (!mayPass(error) || nowMs - (awaySinceMs ?? nowMs) > awayMaxMs) throw error;
      if (awaySinceMs === undefined) onWait(error);
      awaySinceMs ??= nowMs;
      await sleep(everyMs, undefined, { signal }).catch(() => {});
    }
  }
}
