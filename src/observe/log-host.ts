import type { HostEvent } from '../lib/host-event.ts';
import type { Logger } from './log.ts';

export function logHost(log: Logger, { kind, ...fields }: HostEvent): void {
  if (kind === 'found') log.info(fields, 'this host of the database takes writes: connections go there');
  else if (kind === 'left')
    log.warn(fields, 'this host of the database takes writes no more: its connections were ended');
  else {
    log.warn(
      fields,
      'this host of the database takes writes although another was promoted after it: nothing goes there; what others write there will be lost',
    );
  }
}
