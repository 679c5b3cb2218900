import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { lstat, rename, rm } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { fileFault, fileMend } from '../../lib/file-fault.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure, usageFailure } from '../failure.ts';
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
      'every message of a batch with its state; the whole is checked by its trailer, and a cut stream is resumed (ndjson)',
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
  const client = connect(context, flags);
  const target = flags.output === undefined ? undefined : await targetOf(flags.output);
  const out = target === undefined ? context.terminal.out : await openToWrite(target);
  const progress = createProgress(context.terminal, {
    quiet: target === undefined || (flags.json ?? false),
  });
  try {
    const count = await run(context, { client, id, out, progress, flags });
    if (target !== undefined) {
      out.end();
      await finished(out);
      if (target.partial !== undefined) await rename(target.partial, target.path);
      // The bar ends its line first.
      progress.stop();
      const text = `${formatAmount(count, 'message')} written to ${flags.output}`;
      printResult(context, { file: flags.output, count }, { json: flags.json, render: () => text });
    }
  } catch (error) {
    if (target === undefined) throw error;
    if (target.partial !== undefined) await rm(target.partial, { force: true }).catch(() => {});
    // What the file met is the reason, whatever became of the stream because of it.
    const { errored } = out as Partial<WriteStream>;
    throw errored ? unwritable(target, errored) : error;
  } finally {
    progress.stop();
  }
}

interface Target {
  path: string;
  /** Its name until it is whole: what has the name that was asked for can be relied upon. */
  partial: string | undefined;
}

/** A device, a pipe or a link that has the name already is written into; another file in its place would take it away. */
async function targetOf(path: string): Promise<Target> {
  const there = await lstat(path).catch(() => undefined);
  return { path, partial: there === undefined || there.isFile() ? `${path}.partial` : undefined };
}

async function openToWrite(target: Target): Promise<NodeJS.WritableStream> {
  // Flushed before it is closed: a disk may tell only then that it did not keep what was written.
  const file = createWriteStream(target.partial ?? target.path, { flush: target.partial !== undefined });
  try {
    await once(file, 'open');
  } catch (error) {
    throw unwritable(target, error);
  }
  // It may come while nobody writes; the next who does looks at `errored`.
  file.on('error', () => {});
  return file;
}

function unwritable({ path, partial }: Target, error: unknown): Failure {
  return new Failure(`${partial ?? path} cannot be written: ${fileFault(error)}`, {
    hint: `${fileMend(error)} Then run the command again, or name another place with --output.`,
  });
}

interface Run {
  client: Client;
  id: string;
  out: NodeJS.WritableStream;
  progress: Progress;
  flags: ExportFlags;
}

/** Answers the number of messages. */
async function run({ signal }: CommandContext, { client, id, out, progress, flags }: Run): Promise<number> {
  const after = flags.after === undefined ? {} : { after: flags.after };
  if (flags.format === 'csv')
    return (await client.batches.exportCsv({ id, to: out, signal, ...after })).count;
  const total = flags.output === undefined ? 0 : (await client.batches.get(id)).counts.accepted;
  const bar = progress.bar('exported', { total, unit: 'count' });
  const { count } = await client.batches.exportLines({
    batchId: id,
    ...after,
    signal,
    onResume: ({ error, waitMs }) =>
      progress.note(`${error.message}; trying again in ${formatDuration(waitMs)}`),
    async write(lines, written) {
      const { errored } = out as Partial<WriteStream>;
      if (errored) throw errored;
      if (!out.write(lines)) await once(out, 'drain', { signal });
      bar.update(written);
    },
  });
  return count;
}
