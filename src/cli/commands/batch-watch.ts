import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Batch } from '../../client/client.ts';
import { ChangeLines, linesEveryMs } from '../change-lines.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { type AccountOptions, withAccount, withExamples } from '../flags.ts';
import { formatCount } from '../format.ts';
import { mayPass } from '../may-pass.ts';
import { printLine, printResult } from '../output.ts';
import { createProgress, type ProgressBar } from '../progress.ts';
import { connect } from '../server-access.ts';

const pollMs = 500;
/** A program wants to know sooner than who reads a log. */
const jsonEveryMs = 1_000;
/** As long as an upload goes on trying: a restart of the server or a failover of its database lasts less. */
const awayMaxMs = 300_000;

export function batchWatchCommand(context: CommandContext): Command {
  const command = withAccount(new Command('watch'))
    .description(
      'show the progress of a batch until it is done, line by line where there is no terminal; with --json the batch in a line whenever it has changed, once a second at most; exit status 1 when it was canceled',
    )
    .argument('<id>')
    .action((id: string, flags: AccountOptions) => watch(context, id, flags));
  return withExamples(command, 'batch watch ID', 'batch watch ID --json');
}

async function watch(context: CommandContext, id: string, flags: AccountOptions): Promise<void> {
  const { signal } = context;
  const client = connect(context, flags);
  const progress = createProgress(context.terminal, { quiet: flags.json ?? false });
  const lines = new ChangeLines(flags.json ? jsonEveryMs : linesEveryMs);
  let bar: ProgressBar | undefined;
  // A wrong address or key is told at once; what worked a moment ago comes back.
  let batch = await client.batches.get(id);
  try {
    while (batch.state !== 'done' && batch.state !== 'canceled') {
      // While the batch is open its total grows, and a bar towards a moving end would promise what it cannot know.
      if (batch.closedAt) bar ??= progress.bar('finished', { total: batch.counts.accepted, unit: 'count' });
      bar?.update(finished(batch));
      const held = holdOf(batch);
      if (held !== undefined) bar?.wait(held);
      const line = flags.json ? JSON.stringify([batch.state, batch.counts]) : describeProgress(batch);
      if (!(bar && progress.live) && lines.isDue(line, performance.now())) {
        if (flags.json) printLine(context, batch);
        else progress.note(line);
      }
      await sleep(pollMs, undefined, { signal });
      batch = await patiently(() => client.batches.get(id), {
        signal,
        onWait: (error) => {
          if (bar && progress.live) bar.wait('waiting for the server');
          else progress.note(`${error.message}; waiting for the server`);
        },
      });
    }
    bar?.update(finished(batch));
  } finally {
    progress.stop();
  }
  if (flags.json) printLine(context, batch);
  else printResult(context, batch, { render: describeEnd });
  if (batch.state === 'canceled') throw new Failure(`batch ${id} was canceled`);
}

/** Asks until there is an answer, for as long as a restart or a failover lasts; says once that it waits. */
async function patiently<T>(
  ask: () => Promise<T>,
  { signal, onWait }: { signal: AbortSignal; onWait: (error: Error) => void },
): Promise<T> {
  const sinceMs = performance.now();
  for (let failures = 0; ; failures++) {
    try {
      return await ask();
    } catch (error) {
      if (signal.aborted || !mayPass(error) || performance.now() - sinceMs > awayMaxMs) throw error;
      if (failures === 0) onWait(error);
      await sleep(pollMs, undefined, { signal });
    }
  }
}

function finished({ counts }: Batch): number {
  return counts.accepted - counts.queued - counts.sending - counts.retrying;
}

/** Why nothing moves, where somebody wants it so. */
function holdOf({ state, route, routePaused }: Batch): string | undefined {
  if (state === 'paused') return 'the batch is paused';
  return routePaused ? `route ${route} is paused` : undefined;
}

function describeProgress(batch: Batch): string {
  const { id, state, counts } = batch;
  const held = state === 'paused' ? undefined : holdOf(batch);
  const told = `batch ${id} is ${state}: ${formatCount(finished(batch))} of ${formatCount(counts.accepted)} finished`;
  return held === undefined ? told : `${told}, and ${held}`;
}

function describeEnd({ id, state, counts }: Batch): string {
  const parts = (['sent', 'delivered', 'failed', 'expired', 'canceled', 'suppressed', 'uncertain'] as const)
    .filter((name) => counts[name] > 0)
    .map((name) => `${formatCount(counts[name])} ${name}`);
  return `batch ${id} is ${state}: ${formatCount(counts.accepted)} accepted${parts.length > 0 ? `, ${parts.join(', ')}` : ''}`;
}
