import type { Answer, Connector, OutgoingMessage, SendTerms } from '../../src/connectors/connector.ts';

/** Told of what was not let begin. */
export const notBegun: Answer = { kind: 'retry', error: { code: 'not_begun', detail: 'too late' } };

/** Sends to `received` when `connect` has made a connection, if it still may. */
export function connecting(
  received: OutgoingMessage[],
  connect: () => Promise<void>,
): ReadonlyMap<string, Connector> {
  const send = async (messages: readonly OutgoingMessage[], { mayBegin }: SendTerms): Promise<Answer[]> => {
    await connect();
    if (!mayBegin()) return messages.map(() => notBegun);
    received.push(...messages);
    return messages.map(() => ({ kind: 'sent' }));
  };
  const connector: Connector = {
    name: 'test',
    onUncertainDefault: 'resend',
    optionSchemas: {},
    check: () => [],
    open: () => ({ batchMax: 1, send, rehearse: () => ({ kind: 'sent' }), close: async () => {} }),
  };
  return new Map([[connector.name, connector]]);
}
