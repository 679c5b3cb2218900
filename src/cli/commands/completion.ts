import { Argument, Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { completeWords } from '../completion/complete-words.ts';
import { lookUpNames } from '../completion/look-up-names.ts';
import { completionScripts } from '../completion/scripts.ts';
import { withExamples, withJson } from '../flags.ts';
import { printResult } from '../output.ts';

export function completionCommand(context: CommandContext): Command {
  const shells = Object.keys(completionScripts);
  const command = withJson(new Command('completion'))
    .description('a script by which a shell completes commands, options, routes and batches')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: keyof typeof completionScripts, { json }: { json?: boolean }) => {
      const script = completionScripts[shell];
      printResult(context, { shell, script }, { json, render: (made) => made.script });
    });
  command.addCommand(wordsCommand(context), { hidden: true });
  command.addHelpText(
    'after',
    '\nIt completes, and asks, a program named millrace that is on the PATH (npm link makes it so in a clone).',
  );
  return withExamples(
    command,
    'completion bash > /etc/bash_completion.d/millrace',
    'completion zsh > /usr/local/share/zsh/site-functions/_millrace',
    'completion fish > ~/.config/fish/completions/millrace.fish',
  );
}

/** What the scripts ask. */
function wordsCommand(context: CommandContext): Command {
  const command = withJson(new Command('words'))
    .description('what may stand in the place of the last of these words, one a line')
    .argument('[words...]')
    .action(async (words: string[], { json }: { json?: boolean }) => {
      const program = rootOf(command);
      const found = await completeWords(program, words, (kind) => lookUpNames(context, kind));
      printResult(context, found, { json, render: (lines) => lines.join('\n') });
    });
  return withExamples(command, 'completion words -- route p');
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}
