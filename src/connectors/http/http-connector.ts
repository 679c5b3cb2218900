import type { Connector, Sender, SenderSettings } from '../connector.ts';
import { HttpSender } from '../transport/http-sender.ts';
import { timeoutMsDefault } from '../transport/option-checks.ts';
import { batchExchange } from './batch-exchange.ts';
import { compileTemplate, defaultJson } from './body-template.ts';
import { readGenericReceipts } from './generic-receipts.ts';
import type { HttpOptions } from './http-options.ts';
import { checkHttpOptions, httpOptionSchemas } from './http-options.ts';
import { singleExchange } from './single-exchange.ts';

/**
 * Posts messages as JSON to a provider's URL, one or many at a time. Redirects are not followed: they would
 * lead a POST, and its credentials, to where no administrator sent it.
 */
export const httpConnector: Connector = {
  name: 'http',
  onUncertainDefault: 'resend',
  optionSchemas: httpOptionSchemas,
  check: checkHttpOptions,
  open: openHttpSender,
  readReceipts: (options, request, at) =>
    readGenericReceipts((options as unknown as HttpOptions).receiptSecret, request, at),
};

function openHttpSender({ options, concurrency }: SenderSettings): Sender {
  const problem = checkHttpOptions(options)[0];
  if (problem !== undefined) throw new TypeError(`http options: ${problem.pointer} ${problem.detail}`);
  const { url, headers, bodyTemplate, batch, timeoutMs, allowPrivate } = options as unknown as HttpOptions;
  const messageJson = bodyTemplate === undefined ? defaultJson : compileTemplate(bodyTemplate);
  const fixedHeaders = requestHeaders(headers ?? {});
  return new HttpSender({
    url: new URL(url),
    exchange:
      batch === undefined
        ? singleExchange(fixedHeaders, messageJson)
        : batchExchange({ batchMax: batch.max, headers: fixedHeaders, messageJson }),
    concurrency,
    timeoutMs: timeoutMs ?? timeoutMsDefault,
    allowPrivate: allowPrivate ?? false,
  });
}

/** Names and values in turn, as undici takes them with the least work. */
function requestHeaders(custom: Record<string, string>): string[] {
  const headers = new Map([
    ['content-type', 'application/json'],
    ['user-agent', 'millrace'],
  ]);
  for (const [name, value] of Object.entries(custom)) headers.set(name.toLowerCase(), value);
  return [...headers].flat();
}
