import type { Connector, ReceiptReading, ReceiptRequest, Sender, SenderSettings } from '../connector.ts';
import type { Exchange } from '../transport/http-sender.ts';
import { HttpSender } from '../transport/http-sender.ts';
import { timeoutMsDefault } from '../transport/option-checks.ts';
import { batchExchange } from './batch-exchange.ts';
import { compileTemplate, defaultJson } from './body-template.ts';
import { readGenericReceipts } from './generic-receipts.ts';
import type { HttpOptions } from './http-options.ts';
import { checkHttpOptions, httpOptionSchemas } from './http-options.ts';
import type { OptionValues } from './preset.ts';
import { presetExchange } from './preset-exchange.ts';
import { presetOf, presetUrl } from './preset-options.ts';
import { readPresetReceipts } from './preset-receipts.ts';
import { singleExchange } from './single-exchange.ts';

/**
 * Posts messages to a provider's URL, one or many at a time: as JSON of Millrace's own, or as a preset has it. Redirects are
 * not followed: they would lead a POST, and its credentials, to where no administrator sent it.
 */
export const httpConnector: Connector = {
  name: 'http',
  onUncertainDefault: 'resend',
  optionSchemas: httpOptionSchemas,
  check: checkHttpOptions,
  open: openHttpSender,
  routeDefaults: ({ options }) => {
    const preset = presetOf(options);
    return preset === undefined ? {} : { channel: preset.channel };
  },
  readReceipts,
};

function openHttpSender({ options, concurrency }: SenderSettings): Sender {
  const problem = checkHttpOptions(options)[0];
  if (problem !== undefined) throw new TypeError(`http options: ${problem.pointer} ${problem.detail}`);
  const { timeoutMs, allowPrivate } = options as unknown as HttpOptions;
  const { url, exchange } = exchangeOf(options);
  const target = { origin: url.origin, path: url.pathname + url.search };
  return new HttpSender({
    target: () => target,
    oneOrigin: true,
    exchange,
    concurrency,
    timeoutMs: timeoutMs ?? timeoutMsDefault,
    allowPrivate: allowPrivate ?? false,
  });
}

function exchangeOf(options: Record<string, unknown>): { url: URL; exchange: Exchange } {
  const preset = presetOf(options);
  if (preset !== undefined) {
    const url = presetUrl(preset, options as OptionValues);
    return { url, exchange: presetExchange(preset, options as OptionValues, url) };
  }
  const { url, headers, bodyTemplate, batch } = options as unknown as HttpOptions;
  const messageJson = bodyTemplate === undefined ? defaultJson : compileTemplate(bodyTemplate);
  const fixedHeaders = requestHeaders(headers ?? {});
  const exchange =
    batch === undefined
      ? singleExchange(fixedHeaders, messageJson)
      : batchExchange({ batchMax: batch.max, headers: fixedHeaders, messageJson });
  return { url: new URL(url), exchange };
}

function readReceipts(
  options: Record<string, unknown>,
  request: ReceiptRequest,
  { nowMs }: { nowMs: number },
): ReceiptReading {
  const preset = presetOf(options);
  if (preset !== undefined) {
    return readPresetReceipts(preset, { options: options as OptionValues, request, nowMs });
  }
  return readGenericReceipts((options as unknown as HttpOptions).receiptSecret, request, { nowMs });
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
