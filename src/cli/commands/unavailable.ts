import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { notAvailable } from '../failure.ts';
import { withExamples } from '../flags.ts';

/** Commands that the documentation names and this version refuses. */
export function unavailableCommands(_context: CommandContext): Command[] {
  return [unavailable('suppression', 'recipients that get nothing', 'suppression list')];
}

function unavailable(name: string, description: string, example: string): Command {
  const command = new Command(name)
    .description(`${description} (not available yet)`)
    .argument('[arguments...]')
    .allowUnknownOption()
    .action(() => {
      throw notAvailable(`millrace ${name}`);
    });
  return withExamples(command, example);
}
