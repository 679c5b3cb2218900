import type { Command } from 'commander';
import type { ProblemItem } from '../client/client.ts';

/** Fields of a request, as paths without their first slash, by the flag or argument of another name that fills them. */
type FieldNames = Readonly<Record<string, string>>;

const namesByCommand = new WeakMap<Command, FieldNames>();

/**
 * Says which flags of a command, in camel case, fill fields of other names: `{url: 'endpoint', 'batch/max': 'batchMax'}`. What the
 * server says of a field is then said of its flag.
 */
export function withFieldNames(command: Command, names: FieldNames): Command {
  namesByCommand.set(command, { ...namesByCommand.get(command), ...names });
  return command;
}

/**
 * A field that a problem names, as it was typed: `--endpoint` for `/url`, `--scope all` for `/scopes/0`. Undefined for one that came
 * from elsewhere, such as a file.
 */
export function typedName(command: Command, { pointer = '', code }: ProblemItem): string | undefined {
  const path = pointer.split('/').slice(1);
  for (let length = path.length; length > 0; length--) {
    const field = path.slice(0, length).join('/');
    const name = namesByCommand.get(command)?.[field] ?? field;
    const flag = flagOf(command, { name, isMissing: code === 'required' });
    if (flag === undefined) continue;
    const within = path.slice(length).flatMap((part) => placeIn(command.getOptionValue(name), part));
    return [flag, ...within].join(' ');
  }
  return undefined;
}

function flagOf(
  command: Command,
  { name, isMissing }: { name: string; isMissing: boolean },
): string | undefined {
  if (command.registeredArguments.some((argument) => argument.name() === name)) return `<${name}>`;
  const option = command.options.find((one) => one.attributeName() === name);
  return isMissing || command.getOptionValueSource(name) === 'cli' ? option?.long : undefined;
}

/** Which of several values, by what it is: nobody typed its number. */
function placeIn(values: unknown, part: string): string[] {
  if (!/^\d+$/.test(part)) return [part];
  const value: unknown = Array.isArray(values) ? values[Number(part)] : undefined;
  return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
}
