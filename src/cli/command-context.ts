import type { Environment } from '../config/environment.ts';
import type { Terminal } from './terminal.ts';

/** What a command gets from the process it runs in, so that a test can run it in another. */
export interface CommandContext {
  readonly terminal: Terminal;
  readonly environment: Environment;
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}
