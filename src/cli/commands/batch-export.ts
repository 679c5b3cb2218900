import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
import { fileFault } from '../file-fault.ts';
import { type AccountOptions, oneOf, withAccount, withExamples } from '../flags.ts';
import { formatAmount, formatDuration } from '../format.ts';
import { printResult } from '../output.ts';
import { createProgress, type Progress } from '../progress.ts';
import { connect } from '../server-access.ts';

interface ExportFlags extends AccountOptions {
  format: 'ndjson' | 'csv';
  output?: string;
  after?: string;
}

export function batchExportCommand(context: CommandContext): Command {
  const command = withAccount(new Command('export'))
    .description(
      'every message of a batch with its state; a cut stream is resumed, the whole checked by its trailer',
    )
    .argument('<id>')
    .option('--format <format>', 'ndjson or csv', oneOf('ndjson', 'csv'), 'ndjson' as const)
    .option('-o, --output <file>', 'write to this file (default: standard output)')
    .option('--after <id>', 'go on behind this message')
    .action((id: string, flags: ExportFlags) => exportToFile(context, id, flags));
  return withExamples(
    command,
    'batch export ID > outcomes.ndjson',
    'batch export ID --format csv -o outcomes.csv',
  );
}

async function exportToFile(context: CommandContext, id: string, flags: ExportFlags): Promise<void> {
  if (flags.json && flags.output === undefined) {
    throw usageFailure(
      '--json reports on the export and needs --output FILE',
      'The export itself is NDJSON already.',
    );
  }
  const client = connect(context, flags, flags.account);
  // Under another name until it is whole: what has the name that was asked for can be relied upon.
  const partial = flags.output === undefined ? undefined : `${flags.output}.partial`;
  const out = partial === undefined ? context.terminal.out : await openToWrite(partial);
  const progress = createProgress(context.terminal, {
    quiet: partial === undefined || (flags.json ?? false),
  });
  try {
    const count = await run(context, { client, id, out, progress, flags });
    if (partial !== undefined && flags.output !== undefined) {
      out.end();
      await finished(out);
      await rename(partial, flags.output);
      // The bar ends its line first.
      progress.stop();
      const text =
        count === undefined
          ? `written to ${flags.output}`
          : `${formatAmount(count, 'message')} written to ${flags.output}`;
      printResult(
        context,
        { file: flags.output, count: count ?? null },
        { json: flags.json, render: () => text },
      );
    }
  } catch (error) {
    if (partial !== undefined) await rm(partial, { force: true });
    throw error;
  } finally {
    progress.stop();
  }
}

async function openToWrite(path: string): Promise<NodeJS.WritableStream> {
  const file = createWriteStream(path);
  try {
    await once(file, 'open');
  } catch (error) {
    throw new Failure(`${path} cannot be written: ${fileFault(error)}`);
  }
  return file;
}

interface Run {
  client: Client;
  id: string;
  out: NodeJS.WritableStream;
  progress: Progress;
  flags: ExportFlags;
}

/** Answers the number of messages; undefined for CSV, whose records are not counted. */
async function run(
  { signal }: CommandContext,
  { client, id, out, progress, flags }: Run,
): Promise<number | undefined> {
  const after = flags.after === undefined ? {} : { after: flags.after };
  if (flags.format === 'csv') {
    await client.batches.exportCsv({ id, to: out, signal, ...after });
    return undefined;
  }
  const total = flags.output === undefined ? 0 : (await client.batches.get(id)).counts.accepted;
  const bar = progress.bar('exported', { total, unit: 'count' });
  const { count } = await client.batches.export({
    batchId: id,
    ...after,
    signal,
    onResume: ({ error, waitMs }) =>
      progress.note(`${error.message}; trying again in ${formatDuration(waitMs)}`),
    async write(lines, written) {
      if (!out.write(lines)) await once(out, 'drain', { signal });
      bar.update(written);
    },
  });
  return count;
}
