import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { packageRoot } from '../lib/package-root.ts';
import type { CommandContext } from './command-context.ts';
import { Failure, usageFailure } from './failure.ts';

/**
 * Runs `<folder>/main.ts` of the repository with what follows the command on the command line: it belongs to the
 * repository, not to the package, and reads its arguments itself.
 */
export async function runInClone(
  context: CommandContext,
  self: Command,
  { folder, what }: { folder: string; what: string },
): Promise<void> {
  const main = join(packageRoot, folder, 'main.ts');
  if (!existsSync(main) || !existsSync(join(packageRoot, 'node_modules', 'tsx'))) {
    throw new Failure(`${what} is not part of the installed package`, {
      hint: `Clone the repository, run npm ci there, then: npx millrace ${folder}`,
    });
  }
  const given = self.parent?.args ?? [];
  const rest = given.slice(given.indexOf(folder) + 1);
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...rest], {
    stdio: 'inherit',
    cwd: packageRoot,
  });
  // Ctrl-C reaches the whole process group; a signal to this process alone does not.
  const forward = () => child.kill('SIGTERM');
  context.signal.addEventListener('abort', forward, { once: true });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  context.signal.removeEventListener('abort', forward);
  if (status === 2) throw usageFailure(`${what} cannot run like that`);
  if (status !== 0) throw new Failure(`${what} ended with status ${status ?? 'none: it was killed'}`);
}
