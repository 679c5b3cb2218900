import type { Message, Wait } from '../client/client.ts';

/** Rows of `formatFields`: what keeps a message that waits, and what lets it go. */
export function waitRows(message: Message): [string, string][] {
  return (message.waitsFor ?? []).map((wait, index) => [
    index === 0 ? 'waits for' : '',
    describeWait(wait, message),
  ]);
}

function describeWait({ reason, until, messageId }: Wait, { route, batchId }: Message): string {
  switch (reason) {
    case 'batch_open':
      return `its batch to be closed: millrace batch close ${batchId}`;
    case 'batch_paused':
      return `its batch to be resumed: millrace batch resume ${batchId}`;
    case 'route_paused':
      return `its route to be resumed: millrace route resume ${route}`;
    case 'scheduled':
      return `the time that it is scheduled for: ${until}`;
    case 'retry':
      return `its next attempt, which is due ${until}`;
    case 'send_window':
      return until === undefined
        ? 'a send window that does not open'
        : `its send window, which opens ${until}`;
    case 'earlier_message':
      return `an earlier message of its ordering key: millrace message show ${messageId}`;
    case 'expiry':
      return 'its end: it has expired, and is not sent any more';
    case 'turn':
      return 'its turn: it is due';
    default:
      // A newer server has others.
      return reason;
  }
}
