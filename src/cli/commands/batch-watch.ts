import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { Batch } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { type ServerOptions, withExamples, withServer } from '../flags.ts';
import { formatCount } from '../format.ts';
import { printResult } from '../output.ts';
import { createProgress, type ProgressBar } from '../progress.ts';
import { connect } from '../server-access.ts';

const pollMs = 500;

export function batchWatchCommand(context: CommandContext): Command {
  const command = withServer(new Command('watch'))
    .description('show the progress of a batch until it is done; exit status 1 when it was canceled')
    .argument('<id>')
    .action((id: string, flags: ServerOptions) => watch(context, id, flags));
  return withExamples(command, 'batch watch ID', 'batch watch ID --json');
}

async function watch(context: CommandContext, id: string, flags: ServerOptions): Promise<void> {
  const client = connect(context, flags);
  const progress = createProgress(context.terminal, { quiet: flags.json ?? false });
  let bar: ProgressBar | undefined;
  let batch = await client.batches.get(id);
  try {
    for (; batch.state !== 'done' && batch.state !== 'canceled'; batch = await client.batches.get(id)) {
      // While the batch is open its total grows, and a bar towards a moving end would promise what it cannot know.
      if (batch.closedAt) bar ??= progress.bar('finished', { total: batch.counts.accepted, unit: 'count' });
      bar?.update(finished(batch));
      await sleep(pollMs, undefined, { signal: context.signal });
    }
    bar?.update(finished(batch));
  } finally {
    progress.stop();
  }
  printResult(context, batch, { json: flags.json, render: describeEnd });
  if (batch.state === 'canceled') throw new Failure(`batch ${id} was canceled`);
}

function finished({ counts }: Batch): number {
  return counts.accepted - counts.queued - counts.sending - counts.retrying;
}

function describeEnd({ id, state, counts }: Batch): string {
  const parts = (['sent', 'delivered', 'failed', 'expired', 'canceled', 'suppressed', 'uncertain'] as const)
    .filter((name) => counts[name] > 0)
    .map((name) => `${formatCount(counts[name])} ${name}`);
  return `batch ${id} is ${state}: ${formatCount(counts.accepted)} accepted${parts.length > 0 ? `, ${parts.join(', ')}` : ''}`;
}
