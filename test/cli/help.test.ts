import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { createTerminal } from '../../src/cli/terminal.ts';
import { runCli } from '../support/run-cli.ts';

describe('help', () => {
  const program = createProgram({
    terminal: createTerminal(process.stdout, process.stderr, {}),
    environment: {},
    signal: new AbortController().signal,
  });
  const commands = withChildren(program).map((command) => [pathOf(command)] as const);

  it.each(commands)('of "%s" describes it and gives examples', async (path) => {
    const { status, out, err } = await runCli([...path.split(' ').filter(Boolean), '--help']);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain(`Usage: millrace${path === '' ? '' : ` ${path}`}`);
    expect(out).toMatch(/Examples:\n {2}\$ millrace /);
  });

  it.each([
    ['help', ''],
    ['help serve', 'serve'],
    ['help batch watch', 'batch watch'],
    ['batch help', 'batch'],
    ['batch help watch', 'batch watch'],
    ['help batch watch ID', 'batch watch'],
  ])('is what "%s" shows', async (line, path) => {
    const asked = await runCli([...path.split(' ').filter(Boolean), '--help']);
    expect(await runCli(line.split(' '))).toEqual(asked);
  });

  it.each(['lanes', 'statistics', 'top'])(
    'of "%s" says that an administrator sees all accounts',
    async (name) => {
      const { out } = await runCli([name, '--help']);
      expect(out.replaceAll(/\s+/g, ' ')).toContain(
        '--account <id> whose they are; needs an administrator key (default: all accounts',
      );
    },
  );

  it('knows the commands that the interface promises', () => {
    const paths = commands.map(([path]) => path);
    for (const name of 'serve demo sink send migrate doctor bench lab'.split(' '))
      expect(paths).toContain(name);
    for (const name of 'list show watch pause resume cancel replay resolve export errors rejections close'.split(
      ' ',
    )) {
      expect(paths).toContain(`batch ${name}`);
    }
    for (const name of 'show find cancel replay resolve'.split(' '))
      expect(paths).toContain(`message ${name}`);
    for (const name of 'list show set delete pause resume test'.split(' '))
      expect(paths).toContain(`route ${name}`);
    for (const name of 'list create show set delete'.split(' ')) expect(paths).toContain(`account ${name}`);
    for (const name of 'list create revoke rotate'.split(' ')) expect(paths).toContain(`key ${name}`);
    for (const name of 'list create show set delete preview'.split(' '))
      expect(paths).toContain(`template ${name}`);
    for (const name of 'add import list show remove'.split(' '))
      expect(paths).toContain(`suppression ${name}`);
    for (const name of ['config show', 'config check']) expect(paths).toContain(name);
  });
});

function withChildren(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withChildren)];
}

function pathOf(command: Command): string {
  return command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim();
}
