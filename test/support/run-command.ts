import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Command<Options> {
  /** Of its directory: `millrace-<name>-…`. */
  name: string;
  /** Told on stderr when the options are wrong. */
  usage: string;
  /** Undefined, or a throw, where they are wrong. */
  readOptions: () => Options | undefined;
  /** Resolves to whether every promise held. */
  run: (options: Options, directory: string) => Promise<boolean>;
  /** Whether the directory stays when that is known, and its place is told; without it none does. */
  keeps?: (options: Options, held: boolean) => boolean;
}

/** A test of minutes as a command, with a directory of its own. Exit status 0 only when every promise held, 2 for wrong usage. */
export async function runCommand<Options>(command: Command<Options>): Promise<void> {
  const options = optionsOf(command);
  if (options === undefined) {
    process.stderr.write(command.usage);
    process.exitCode = 2;
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), `millrace-${command.name}-`));
  // Root's PostgreSQL runs as another user, who has to pass.
  await chmod(directory, 0o711);
  let held = false;
  try {
    held = await command.run(options, directory);
  } finally {
    if (!command.keeps?.(options, held)) await rm(directory, { recursive: true, force: true });
    else process.stderr.write(`The database and the logs are in ${directory}\n`);
  }
  process.exitCode = held ? 0 : 1;
}

function optionsOf<Options>({ readOptions }: Command<Options>): Options | undefined {
  try {
    return readOptions();
  } catch {
    // `parseArgs` throws for what it does not know; the usage tells what there is.
    return undefined;
  }
}
