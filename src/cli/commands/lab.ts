import { Command } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { withExamples, withJson } from '../flags.ts';
import { runInClone } from '../run-in-clone.ts';

/** The laboratory belongs to the repository; what is told here is held against it by a test. */
const scenarios = `
Scenarios:
  switchover                 an operator hands the primary over to its standby
  scheduled-switchover       the same, at a time that was set before
  replica-network-cut        the network of the standby that COMMIT waits for is cut
  primary-network-cut        the network of the primary is cut
  primary-and-replica-cut    the networks of the primary and of its standby are cut at once
  primary-power-lost         the primary loses its power, and comes back as a replica
  postmaster-killed          the primary’s postmaster is killed (-9)
  patroni-killed             the primary’s Patroni is killed (-9), and PostgreSQL lives on
  processor-saturated        the primary has a twentieth of a core left
  etcd-majority-lost         two of three etcd members are killed (-9)
  several-hosts-switchover   a switchover, without HAProxy: Millrace has all nodes in its URL
  several-hosts-network-cut  the network of the primary is cut, and Millrace has no HAProxy
  asynchronous-power-lost    without a synchronous standby, the primary loses its power: what is lost then

Needs Linux, root, and the programs that it names when they are absent. It listens in network namespaces of its own alone,
and removes them, their links and processes when it ends, is interrupted, or was killed the time before.

Exit status: 0 when every promise held, 1 when not, 2 for wrong usage or a machine that lacks something.`;

export function labCommand(context: CommandContext): Command {
  const command = withJson(new Command('lab'))
    .description(
      'the failover laboratory: a Patroni cluster fails under load, and the books are compared (in a clone of the repository)',
    )
    .argument('[scenario...]', 'which ones; without it all, on one cluster, in some ten minutes')
    .option(
      '--dir <directory>',
      'where report, pictures and logs go (default: build/lab/<time> in the clone)',
    )
    .option('--messages <n>', 'messages of the flood in each scenario (default: 40000)')
    .option('--watchdog <device>', 'give Patroni this device, which restarts this whole machine')
    .option('--keep', 'leave the databases in the temporary directory')
    .allowUnknownOption()
    .action((_names: string[], _flags: unknown, self: Command) =>
      runInClone(context, self, { folder: 'lab', what: 'the laboratory' }),
    );
  withExamples(command, 'lab', 'lab switchover', 'lab primary-network-cut --json');
  return command.addHelpText('after', scenarios);
}
