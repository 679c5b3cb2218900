import { readFileSync } from 'node:fs';
import { nearestName } from '../lib/nearest-name.ts';
import { ConfigError } from './config-error.ts';
import { optionNames } from './options.ts';

/** The options in a JSON file, as they stand there. Unknown keys are refused: a typo must not be obeyed as a default. */
export function readConfigFile(path: string): Record<string, unknown> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError('invalid_option', `config: ${path} cannot be read: ${reason}`, { cause: error });
  }
  const values = parseObject(path, content);
  for (const key of Object.keys(values)) {
    if ((optionNames as string[]).includes(key)) continue;
    const nearest = nearestName(key, optionNames);
    const hint =
      nearest === undefined
        ? 'millrace config show lists them all'
        : `did you mean ${JSON.stringify(nearest)}?`;
    throw new ConfigError(
      'unknown_option',
      `${path} sets ${JSON.stringify(key)}, which is no option; ${hint}`,
    );
  }
  return values;
}

function parseObject(path: string, content: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError('invalid_option', `config: ${path} is not valid JSON: ${reason}`, { cause: error });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ConfigError('invalid_option', `config: ${path} must hold a JSON object of options`);
  }
  return parsed as Record<string, unknown>;
}
