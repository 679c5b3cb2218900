import type { OutgoingMessage } from '../../src/connectors/connector.ts';

/** `count` messages with ids that sort by their place. */
export function outgoing(count: number): OutgoingMessage[] {
  return Array.from({ length: count }, (_, n) => {
    const id = `0190b3e8-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;
    const fields = { to: `+3161234${n}`, body: `message ${n}`, ref: `r${n}` };
    return { id, key: id, accountId: 1, attempt: 1, fields };
  });
}
