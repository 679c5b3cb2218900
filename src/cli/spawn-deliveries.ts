import { type ChildProcess, spawn } from 'node:child_process';
import { environmentOf } from '../config/environment-of.ts';
import type { Config } from '../config/resolve-config.ts';
import type { CommandContext } from './command-context.ts';

/** Starts a further process of the server that runs in this one: same program, same configuration, same log. */
export function spawnDeliveries(
  { environment }: CommandContext,
  { config, databaseUrl, secretKeys }: { config: Config; databaseUrl: string; secretKeys: string },
): ChildProcess {
  const others = Object.entries(environment).filter(([name]) => !name.startsWith('MILLRACE_'));
  return spawn(process.execPath, [...process.execArgv, process.argv[1]!, 'serve', '--child'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Hints carry bytes.
    serialization: 'advanced',
    // Ctrl-C is for the server alone, which then stops its processes in order.
    detached: true,
    env: {
      ...Object.fromEntries(others),
      ...environmentOf(config),
      ...deliveriesOnly,
      MILLRACE_DATABASE: databaseUrl,
      MILLRACE_SECRET_KEY: secretKeys,
    },
  });
}

const deliveriesOnly = {
  // Nothing of it is needed there.
  MILLRACE_ADMIN_KEY: undefined,
  MILLRACE_ROLES: 'deliver',
  MILLRACE_PROCESSES: '1',
  MILLRACE_WRITE_FORWARD_URL: undefined,
  MILLRACE_FLY_REPLAY_REGION: undefined,
};
