import { Command, CommanderError, Help, type Option } from 'commander';
import { packageVersion } from '../lib/package-root.ts';
import type { CommandContext } from './command-context.ts';
import { accountCommand } from './commands/account.ts';
import { batchCommand } from './commands/batch.ts';
import { benchCommand } from './commands/bench.ts';
import { completionCommand } from './commands/completion.ts';
import { configCommand } from './commands/config.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { keyCommand } from './commands/key.ts';
import { labCommand } from './commands/lab.ts';
import { lanesCommand } from './commands/lanes.ts';
import { messageCommand } from './commands/message.ts';
import { migrateCommand } from './commands/migrate.ts';
import { outboxCommand } from './commands/outbox.ts';
import { recipientCommand } from './commands/recipient.ts';
import { routeCommand } from './commands/route.ts';
import { sendCommand } from './commands/send.ts';
import { serveCommand } from './commands/serve.ts';
import { signingKeyCommand } from './commands/signing-key.ts';
import { sinkCommand } from './commands/sink.ts';
import { statisticsCommand } from './commands/statistics.ts';
import { suppressionCommand } from './commands/suppression.ts';
import { templateCommand } from './commands/template.ts';
import { topCommand } from './commands/top.ts';
import { webhookCommand } from './commands/webhook.ts';
import { describeFailure } from './describe-failure.ts';
import { typedName } from './field-names.ts';
import { withExamples } from './flags.ts';
import { helpCommand } from './help-command.ts';

/** Runs one command line (without `node` and the script) and answers its exit status: 0 done, 1 failed, 2 wrong usage. */
export async function runCommandLine(argv: readonly string[], context: CommandContext): Promise<0 | 1 | 2> {
  const { terminal } = context;
  let command: Command | undefined;
  const program = createProgram(context).hook('preAction', (_program, running) => {
    command = running;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has written what it had to say by now: a help text that was asked for, or what is wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    // What an abort cut short rejects with its own AbortError; the signal knows why.
    const aborted = context.signal.aborted && error instanceof Error && error.name === 'AbortError';
    const { message, lines, exitStatus } = describeFailure(
      aborted ? context.signal.reason : error,
      (item) => command && typedName(command, item),
    );
    terminal.err.write(`${terminal.style('red', 'error:', 'err')} ${message}\n`);
    for (const line of lines) terminal.err.write(`${line}\n`);
    return exitStatus;
  }
}

/** All commands. */
export function createProgram(context: CommandContext): Command {
  const program = new Command('millrace')
    .description(
      'Self-hosted bulk message delivery: takes a flood, keeps it in PostgreSQL, delivers it at each provider’s pace.',
    )
    .version(packageVersion(), '-V, --version', 'print the version');
  withExamples(
    program,
    'serve',
    'demo --messages 100000',
    'send customers.csv --route sms --body "Hello"',
    'batch watch ID',
  );
  for (const make of [
    serveCommand,
    demoCommand,
    sendCommand,
    batchCommand,
    messageCommand,
    recipientCommand,
    routeCommand,
    lanesCommand,
    statisticsCommand,
    topCommand,
    accountCommand,
    keyCommand,
    templateCommand,
    suppressionCommand,
    webhookCommand,
    signingKeyCommand,
    configCommand,
    completionCommand,
    migrateCommand,
    doctorCommand,
    outboxCommand,
    sinkCommand,
    benchCommand,
    labCommand,
  ]) {
    for (const command of [make(context)].flat()) program.addCommand(command);
  }
  prepare(program, context);
  return program;
}

/** Settings that commander does not hand down to commands that are added ready-made. */
function prepare(command: Command, context: CommandContext): void {
  const { terminal } = context;
  if (command.commands.length > 0) command.helpCommand(false).addCommand(helpCommand(command));
  command
    .exitOverride()
    .showHelpAfterError(`(${pathOf(command)} --help tells more)`)
    .configureHelp({ showGlobalOptions: false, optionDescription })
    .configureOutput({
      writeOut: (text) => void terminal.out.write(text),
      writeErr: (text) => void terminal.err.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const child of command.commands) prepare(child, context);
}

const help = new Help();

/** Commander itself tells of an option that must be given only when it is missing. */
function optionDescription(option: Option): string {
  const described = help.optionDescription(option);
  return option.mandatory ? `${described} (required)` : described;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
