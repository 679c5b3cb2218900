import type { Command, Option } from 'commander';

/** What a server has names or ids of: the group of commands, and what the command calls the argument. */
const namedArguments = {
  route: 'name',
  batch: 'id',
  template: 'name',
  webhook: 'id or name',
} as const;

export type NamedThing = keyof typeof namedArguments;

/**
 * What may stand in the place of the last word, which may be empty or begun. `lookUp` is asked where a name of something on the
 * server is wanted, and nowhere else.
 */
export async function completeWords(
  program: Command,
  words: readonly string[],
  lookUp: (kind: NamedThing) => Promise<string[]>,
): Promise<string[]> {
  const begun = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const { command, given } = find(program, before);
  const option = optionOf(command, before.at(-1));
  const found =
    option !== undefined && takesValue(option)
      ? await valuesOf(option, lookUp)
      : begun.startsWith('-')
        ? optionsOf(command)
        : [...(given === 0 ? childrenOf(command) : []), ...(await argumentsOf(command, { given, lookUp }))];
  return [...new Set(found)].filter((word) => word.startsWith(begun)).sort();
}

/** The command that the words name, and how many arguments it has got. */
function find(program: Command, words: readonly string[]): { command: Command; given: number } {
  let command = program;
  let given = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    if (word.startsWith('-')) {
      const option = optionOf(command, word);
      if (option !== undefined && takesValue(option)) index++;
      continue;
    }
    const child = given === 0 ? command.commands.find((one) => one.name() === word) : undefined;
    if (child) command = child;
    else given++;
  }
  return { command, given };
}

function optionOf(command: Command, word: string | undefined): Option | undefined {
  return word === undefined
    ? undefined
    : command.options.find(({ long, short }) => word === long || word === short);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

async function valuesOf(option: Option, lookUp: (kind: NamedThing) => Promise<string[]>): Promise<string[]> {
  if (option.argChoices) return option.argChoices;
  const kind = option.long?.slice('--'.length);
  return kind === 'route' || kind === 'template' ? await lookUp(kind) : [];
}

function optionsOf(command: Command): string[] {
  return [...command.options.flatMap(({ long, hidden }) => (long && !hidden ? [long] : [])), '--help'];
}

function childrenOf(command: Command): string[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .map((child) => child.name());
}

async function argumentsOf(
  command: Command,
  { given, lookUp }: { given: number; lookUp: (kind: NamedThing) => Promise<string[]> },
): Promise<string[]> {
  const argument = command.registeredArguments[given];
  if (argument === undefined) return [];
  if (argument.argChoices) return argument.argChoices;
  const group = command.parent?.name() as NamedThing;
  // What is made gets a name that is none yet.
  const isKnown = namedArguments[group] === argument.name() && command.name() !== 'create';
  return isKnown ? await lookUp(group) : [];
}
