import { access, constants } from 'node:fs/promises';
import { Command } from 'commander';
import { optionNames, optionOf, shownValue, variablesOf } from '../../config/options.ts';
import { type Config, describeSource } from '../../config/resolve-config.ts';
import { describeUnknownVariable, unknownVariables } from '../../config/unknown-variables.ts';
import type { CommandContext } from '../command-context.ts';
import { Failure } from '../failure.ts';
import { withExamples, withJson } from '../flags.ts';
import { formatTable } from '../format.ts';
import { printResult, printWarning } from '../output.ts';
import { configOf, withServeOptions } from './serve.ts';

type ConfigFlags = Parameters<typeof configOf>[1];

export function configCommand(context: CommandContext): Command {
  const command = new Command('config').description('show or check the options that serve would run with');
  const show = withJson(withServeOptions(new Command('show')))
    .description('every option with its value and where it came from')
    .action((flags: ConfigFlags) => showConfig(context, flags));
  const check = withJson(withServeOptions(new Command('check')))
    .description('whether serve would accept the options, and whether their files can be read')
    .action((flags: ConfigFlags) => checkConfig(context, flags));
  command.addCommand(withExamples(show, 'config show', 'config show --config /etc/millrace.json --json'));
  command.addCommand(withExamples(check, 'config check --config /etc/millrace.json'));
  return withExamples(command, 'config show', 'config check --config /etc/millrace.json');
}

function showConfig(context: CommandContext, flags: ConfigFlags): void {
  const shown = describeConfig(configOf(context, flags));
  warnOfVariables(context);
  printResult(context, shown, {
    json: flags.json,
    render: (options, width) =>
      formatTable(
        ['OPTION', 'VALUE', 'FROM', 'VARIABLE', 'MEANS'],
        options.map(({ name, value, source, variables, doc }) => [
          name,
          value,
          source,
          variables.join(' or '),
          doc,
        ]),
        { width },
      ),
  });
}

async function checkConfig(context: CommandContext, flags: ConfigFlags): Promise<void> {
  const config = configOf(context, flags);
  warnOfVariables(context);
  for (const name of ['tlsCert', 'tlsKey'] as const) {
    const path = config[name];
    if (path === undefined) continue;
    await access(path, constants.R_OK).catch((error: Error) => {
      throw new Failure(`${name} (${describeSource(config.sources[name])}): ${error.message}`);
    });
  }
  printResult(context, { ok: true }, { json: flags.json, render: () => 'The options are in order.' });
}

function describeConfig(config: Config) {
  return optionNames.map((name) => ({
    name,
    value: shownValue(name, config[name]),
    unit: optionOf(name).unit ?? null,
    variables: variablesOf(name),
    source: describeSource(config.sources[name]),
    doc: optionOf(name).doc,
  }));
}

function warnOfVariables(context: CommandContext): void {
  for (const unknown of unknownVariables(context.environment)) {
    printWarning(context, describeUnknownVariable(unknown));
  }
}
