import { webhookConnector } from '../../src/connectors/webhook/webhook-connector.ts';
import { describeConnector } from './conformance.ts';
import { conformanceProvider, goneProvider, type ProviderSpeech } from './conformance-provider.ts';
import { httpAnswer } from './scripted-provider.ts';

const endpoint: ProviderSpeech = {
  take: () => httpAnswer(204, ''),
  refuse: httpAnswer(410, 'Gone'),
  ids: ({ headers }) => [headers['webhook-id']!],
  options: () => ({ secrets: [{ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }] }),
  fields: ({ url }) => ({ to: url, payload: { type: 'order.paid', data: { n: 1 } } }),
};

describeConnector('the webhook connector', {
  connector: webhookConnector,
  startProvider: (conduct, timeoutMs) => conformanceProvider(endpoint, conduct, { timeoutMs }),
  unreachable: () => goneProvider(endpoint),
  // An endpoint that answers has not taken the message, by the specification.
  failed: 'retry',
});
