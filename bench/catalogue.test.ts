import { expect, test } from 'vitest';
import { runCli } from '../test/support/run-cli.ts';
import { figures } from './catalogue.ts';

test('the command line lists the figures that there are, in their order', async () => {
  const { out } = await runCli(['bench', '--help']);
  const listed = out.split('Figures:\n')[1]!.split('\n\n')[0]!;
  expect(listed.trim().split(/\s+/)).toEqual(figures.map(({ name }) => name));
});
