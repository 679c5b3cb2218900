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
  if (Array.isArray(value)) return value.join(',');
  if (typeof value !== 'object') return String(value);
  const pairs = Object.entries(value as Record<string, string>);
  return pairs.map(([name, text]) => `${name}=${encodeURIComponent(text)}`).join(',');
}
