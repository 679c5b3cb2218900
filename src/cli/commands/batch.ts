import { Command } from 'commander';
import type { Batch, ReplayedBatch, ReplayFilter, ResolvedBatch } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { withFieldNames } from '../field-names.ts';
import { type AccountOptions, collect, oneOf, wholeNumber, withAccount, withExamples } from '../flags.ts';
import { formatAmount, formatCount, formatFields, formatTable } from '../format.ts';
import { lookedIn } from '../looked-in.ts';
import { printResult } from '../output.ts';
import { formatSendWindow } from '../send-window.ts';
import { connect } from '../server-access.ts';
import { batchErrorsCommand } from './batch-errors.ts';
import { batchExportCommand } from './batch-export.ts';
import { batchWatchCommand } from './batch-watch.ts';

export function batchCommand(context: CommandContext): Command {
  const command = new Command('batch').description('look at batches and steer them');
  command.addCommand(listCommand(context));
  command.addCommand(showCommand(context));
  command.addCommand(batchWatchCommand(context));
  command.addCommand(batchExportCommand(context));
  command.addCommand(rejectionsCommand(context));
  command.addCommand(batchErrorsCommand(context));
  command.addCommand(actionCommand(context, 'close', 'take no further lines'));
  command.addCommand(actionCommand(context, 'pause', 'stop delivering for now'));
  command.addCommand(actionCommand(context, 'resume', 'go on delivering'));
  command.addCommand(actionCommand(context, 'cancel', 'deliver nothing more'));
  command.addCommand(replayCommand(context));
  command.addCommand(resolveCommand(context));
  return withExamples(command, 'batch list', 'batch watch ID', 'batch export ID -o outcomes.ndjson');
}

interface ListFlags extends AccountOptions {
  limit: number;
  after?: string;
}

function listCommand(context: CommandContext): Command {
  const command = withAccount(new Command('list'))
    .description('the newest batches')
    .option('--limit <n>', 'batches to show', wholeNumber(1, 200), 20)
    .option('--after <id>', 'go on behind this one: the "next" of the page before')
    .action(async (flags: ListFlags) => {
      const { limit, after } = flags;
      const client = connect(context, flags);
      const page = await client.batches.page({ limit, ...(after === undefined ? {} : { after }) });
      const where = await lookedIn(client, { flags, found: page.data });
      printResult(context, page, {
        json: flags.json,
        render({ data, next }, width) {
          if (data.length === 0) return `no batches${where}`;
          return describeBatches(data, width) + (next === null ? '' : `\nmore: --after ${next}`);
        },
      });
    });
  return withExamples(command, 'batch list', 'batch list --limit 100 --json');
}

function showCommand(context: CommandContext): Command {
  const command = withAccount(new Command('show'))
    .description('one batch: its state and how many messages are in which state')
    .argument('<id>')
    .action(async (id: string, flags: AccountOptions) => {
      const batch = await connect(context, flags).batches.get(id);
      printResult(context, batch, { json: flags.json, render: describeWithErrors });
    });
  return withExamples(command, 'batch show 0190c6f0-7b3a-7c11-9b0d-2f5a6c7d8000');
}

function describeWithErrors(batch: Batch): string {
  const text = describeBatch(batch);
  return batch.counts.failed > 0 ? `${text}\n\nwhy they failed: millrace batch errors ${batch.id}` : text;
}

function rejectionsCommand(context: CommandContext): Command {
  const command = withAccount(new Command('rejections'))
    .description('every line that was not taken, and why, as NDJSON')
    .argument('<id>')
    .action(async (id: string, flags: AccountOptions) => {
      for await (const rejection of connect(context, flags).batches.rejections(id)) {
        const text = `${JSON.stringify(rejection)}\n`;
        if (!context.terminal.out.write(text)) await drained(context.terminal.out);
      }
    });
  return withExamples(command, 'batch rejections ID > rejected.ndjson');
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => stream.once('drain', resolve));
}

function actionCommand(
  context: CommandContext,
  action: 'pause' | 'resume' | 'cancel' | 'close',
  description: string,
): Command {
  const command = withAccount(new Command(action))
    .description(description)
    .argument('<id>')
    .action(async (id: string, flags: AccountOptions) => {
      const batch = await connect(context, flags).batches[action](id);
      const render = action === 'cancel' ? describeCanceled : describeBatch;
      printResult(context, batch, { json: flags.json, render });
    });
  return withExamples(command, `batch ${action} ID`);
}

/** The batch is canceled at once, its messages by the workers that have them. */
function describeCanceled(batch: Batch): string {
  const { queued, retrying } = batch.counts;
  const left = queued + retrying;
  const waiting = `${formatAmount(left, 'message')} that still ${left === 1 ? 'waits is' : 'wait are'} not sent`;
  const told = left === 0 ? '' : `${waiting}; canceled in a moment: millrace batch show ${batch.id}\n\n`;
  return told + describeBatch(batch);
}

interface ReplayFlags extends AccountOptions {
  state: ReplayFilter['states'];
  errorCode?: string;
}

function replayCommand(context: CommandContext): Command {
  const command = withAccount(new Command('replay'))
    .description('try messages again that ended badly')
    .argument('<id>')
    .requiredOption('--state <states>', 'failed, expired, canceled, uncertain; several with commas', collect)
    .option('--error-code <code>', 'only those that failed with this code')
    .action(async (id: string, { state: states, errorCode, ...flags }: ReplayFlags) => {
      const filter = { states, ...(errorCode === undefined ? {} : { errorCode }) };
      const batch = await connect(context, flags).batches.replay(id, filter);
      printResult(context, batch, { json: flags.json, render: describeReplay });
    });
  withFieldNames(command, { states: 'state' });
  return withExamples(command, 'batch replay ID --state failed --error-code timeout');
}

function describeReplay(batch: ReplayedBatch): string {
  const { replayed } = batch;
  const told = typeof replayed === 'number' ? `${formatAmount(replayed, 'message')} replayed\n\n` : '';
  return told + describeBatch(batch);
}

function resolveCommand(context: CommandContext): Command {
  const command = withAccount(new Command('resolve'))
    .description('settle the uncertain messages of a batch')
    .argument('<id>')
    .requiredOption('--as <state>', 'sent or failed', oneOf('sent', 'failed'))
    .action(async (id: string, flags: AccountOptions & { as: 'sent' | 'failed' }) => {
      const batch = await connect(context, flags).batches.resolve(id, { as: flags.as });
      const render = (resolved: ResolvedBatch) =>
        `${describeSettled(resolved, flags.as)}\n${describeBatch(resolved)}`;
      printResult(context, batch, { json: flags.json, render });
    });
  return withExamples(command, 'batch resolve ID --as sent');
}

function describeSettled({ settled = 0, counts: { uncertain } }: ResolvedBatch, as: string): string {
  if (settled + uncertain === 0) return 'no message of the batch was uncertain';
  const done = `settled ${formatCount(settled)} uncertain ${settled === 1 ? 'message' : 'messages'} as ${as}`;
  if (uncertain === 0) return done;
  return `${done}, ${formatCount(uncertain)} ${uncertain === 1 ? 'is' : 'are'} still uncertain: their workers may settle them yet, else run it again`;
}

function describeBatches(batches: Batch[], width: number): string {
  return formatTable(
    ['ID', 'STATE', 'ROUTE', 'ACCEPTED', 'REJECTED', 'SENT', 'FAILED', 'UNCERTAIN', 'CREATED'],
    batches.map(({ id, state, route, counts, createdAt }) => [
      id,
      state,
      route,
      counts.accepted,
      counts.rejected,
      counts.sent + counts.delivered,
      counts.failed,
      counts.uncertain,
      createdAt,
    ]),
    { width },
  );
}

function describeBatch(batch: Batch): string {
  const { accepted, rejected, ...states } = batch.counts;
  const isWaiting = states.queued + states.retrying > 0;
  const waits = batch.routePaused && isWaiting;
  return formatFields([
    ['id', batch.id],
    ['state', batch.state],
    ['route', waits ? `${batch.route} (paused: what was not sent yet waits)` : batch.route],
    ['test', batch.test ? 'made with a test key: nobody gets its messages' : null],
    ['priority', batch.priority],
    ['ordering key', batch.orderingKey],
    ['scheduled', batch.scheduledAt],
    ['expires', batch.expiresAt],
    ['window', batch.sendWindow && formatSendWindow(batch.sendWindow)],
    ['opens', batch.opensAt && isWaiting ? `${batch.opensAt} (nothing is sent until then)` : null],
    ['created', batch.createdAt],
    ['closed', batch.closedAt],
    ['done', batch.doneAt],
    ['accepted', accepted],
    ['rejected', rejected],
    ...Object.entries(states)
      .filter(([, count]) => count > 0)
      .map(([state, count]) => [`  ${state}`, count] as const),
  ]);
}
