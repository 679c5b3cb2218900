import { Command } from 'commander';
import { withExamples } from './flags.ts';

/** In the place of commander's own, which shows the help of the group for what is no command of it. */
export function helpCommand(group: Command): Command {
  const command = new Command('help')
    .description('display help for command')
    .argument('[command...]')
    .action(async (names: string[]) => {
      let shown = group;
      for (const name of names) {
        const child = shown.commands.find((one) => one.name() === name);
        if (child === undefined && shown.commands.length > 0) await refuse(shown, name);
        shown = child ?? shown;
      }
      shown.help();
    });
  const path = group.parent === null ? 'help' : `${group.name()} help`;
  return withExamples(command, `${path} ${group.commands[0]!.name()}`);
}

/** With what was probably meant: as it does where the command is called. */
async function refuse(group: Command, name: string): Promise<void> {
  await group.parseAsync([name], { from: 'user' });
}
