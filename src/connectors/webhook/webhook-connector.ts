import type { Connector, RouteDefaults, Sender, SenderSettings } from '../connector.ts';
import { HttpSender } from '../transport/http-sender.ts';
import { timeoutMsDefault } from '../transport/option-checks.ts';
import { CatchingUp } from './catching-up.ts';
import { webhookEndpoints } from './webhook-endpoints.ts';
import { webhookExchange } from './webhook-exchange.ts';
import { checkWebhookOptions, type WebhookOptions, webhookOptionSchemas } from './webhook-options.ts';
import { webhookTargets } from './webhook-target.ts';

/**
 * Posts each message to the URL or the registered endpoint that it is for, signed by the Standard Webhooks specification, and asks for those that are
 * status reports as MessageBird's classic API did. Redirects are not followed: they would lead a message to where nobody addressed it.
 */
export const webhookConnector: Connector = {
  name: 'webhook',
  onUncertainDefault: 'resend',
  manyEndpoints: true,
  optionSchemas: webhookOptionSchemas,
  check: checkWebhookOptions,
  open: openWebhookSender,
  routeDefaults,
};

/** 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 10 h: more than a day in all, for endpoints that are mended on the next one. */
const waitsMs = [5_000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 36_000_000];
const expireAfterMs = 3 * 86_400_000;

/** Of a route's requests at once, those that one host may have, unless the route says otherwise. */
const shareOfHost = 1 / 4;

function routeDefaults({ concurrency }: SenderSettings): RouteDefaults {
  return {
    channel: 'webhook',
    retry: { waitsMs, attemptsMax: waitsMs.length + 1, expireAfterMs },
    destinations: [{ match: '*', concurrency: Math.max(1, Math.floor(concurrency * shareOfHost)) }],
  };
}

function openWebhookSender({ options, concurrency, endpoints }: SenderSettings): Sender {
  const problem = checkWebhookOptions(options)[0];
  if (problem !== undefined) throw new TypeError(`webhook options: ${problem.pointer} ${problem.detail}`);
  const { secrets, headers, timeoutMs, allowPrivate } = options as unknown as WebhookOptions;
  const endpointFor = webhookEndpoints(endpoints);
  const sender = new HttpSender({
    target: webhookTargets(allowPrivate ?? false, endpointFor),
    exchange: webhookExchange({
      ...{ secrets, headers: headers ?? {}, endpointFor },
      reportKeyOf: (accountId) => endpoints?.signingKeyOf(accountId),
    }),
    concurrency,
    timeoutMs: timeoutMs ?? timeoutMsDefault,
    allowPrivate: allowPrivate ?? false,
  });
  return endpoints === undefined ? sender : new CatchingUp(sender, endpoints);
}
