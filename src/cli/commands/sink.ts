import { Command, InvalidArgumentError } from 'commander';
import { type SinkOptionDoc, type SinkOptions, sinkOptions } from '../../sink/sink-options.ts';
import type { CommandContext } from '../command-context.ts';
import { usageFailure } from '../failure.ts';
import { withExamples, withJson } from '../flags.ts';
import { formatCount } from '../format.ts';
import { aborted, stopWithParent } from '../stop-signal.ts';

type SinkFlags = Partial<SinkOptions> & { json?: boolean; stopWithParent?: boolean };

export function sinkCommand(context: CommandContext): Command {
  const command = withJson(new Command('sink')).description(
    'a simulated provider that keeps a ledger of what it received: GET /ledger, POST /reset',
  );
  for (const option of sinkOptions) {
    const description = `${option.doc} (default: ${option.default === '' ? 'none' : option.default})`;
    if (typeof option.default === 'string') command.option(`--${option.flag} <text>`, description);
    else command.option(`--${option.flag} <n>`, description, (text) => parseNumber(option, text));
  }
  command
    .option('--stop-with-parent', 'stop when the process that started this one ends (needs its IPC channel)')
    .action((flags: SinkFlags) => sink(context, flags));
  return withExamples(command, 'sink', 'sink --port 9900 --latency-ms 20 --fail-rate 0.05 --rate-limit 1000');
}

async function sink(context: CommandContext, flags: SinkFlags): Promise<void> {
  const { json, stopWithParent: withParent, ...options } = flags;
  const signal = withParent ? stopWithParent(context.signal) : context.signal;
  const { startSink } = await import('../../sink/start-sink.ts');
  const running = await startSink(options).catch((error: unknown) => {
    throw error instanceof RangeError ? usageFailure(error.message) : error;
  });
  const { out } = context.terminal;
  const hello = json
    ? JSON.stringify({ url: running.url, pid: process.pid })
    : `The provider listens on ${running.url}`;
  out.write(`${hello}\n`);
  await aborted(signal);
  const { received, distinct, duplicates } = running.ledger();
  await running.stop();
  if (json) return;
  out.write(
    `received ${formatCount(received)}, distinct ${formatCount(distinct)}, duplicates ${formatCount(duplicates)}\n`,
  );
}

function parseNumber(
  { min = 0, max = Number.MAX_SAFE_INTEGER, wholeNumber = false }: SinkOptionDoc,
  text: string,
): number {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  if (number >= min && number <= max && (!wholeNumber || Number.isInteger(number))) return number;
  throw new InvalidArgumentError(`It must be a ${wholeNumber ? 'whole ' : ''}number from ${min} to ${max}.`);
}
