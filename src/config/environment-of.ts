import { type OptionName, optionNames, variablesOf } from './options.ts';
import type { Config } from './resolve-config.ts';

/**
 * The variables under which another process resolves the same configuration: nothing of it appears on a command
 * line, which every user of the machine can read.
 */
export function environmentOf(config: Config): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of optionNames) {
    if (config.sources[name].kind !== 'default') variables[variablesOf(name)[0]!] = textOf(config[name]);
  }
  return variables;
}

function textOf(value: Config[OptionName]): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}
