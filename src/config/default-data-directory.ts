import { homedir } from 'node:os';
import { join } from 'node:path';

/** `~/.millrace`; for root, whose home is closed to the user that PostgreSQL runs as, `/var/lib/millrace`. */
export function defaultDataDirectory(): string {
  return process.getuid?.() === 0 ? '/var/lib/millrace' : join(homedir(), '.millrace');
}
