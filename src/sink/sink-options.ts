/** How the simulated provider behaves. All but `port` have defaults. */
export interface SinkOptions {
  /** 0 takes any free port. */
  port: number;
  host: string;
  /** Milliseconds from a request's last byte to its answer. */
  latencyMs: number;
  /** Share of requests refused before the ledger takes them, with `failStatus`. */
  failRate: number;
  failStatus: number;
  /** Share of requests that the ledger takes and nobody ever answers. */
  hangRate: number;
  /** Share of requests that the ledger takes and whose connection is then destroyed: lost answers. */
  resetRate: number;
  /** Messages per second; requests above are answered 429 with `Retry-After`. 0 is no limit. */
  rateLimit: number;
  /** How many of the last messages `GET /arrivals` can list. */
  arrivals: number;
  /** Of batched posts it lists those of so many messages at most; 0 for none. */
  arrivalsBatchMax: number;
  /** Of these it lists only messages whose `ref` begins so; empty for all. */
  arrivalsRefPrefix: string;
  /** Where receipts of taken messages are posted, as the `http` connector reads them; empty for nowhere. */
  receiptsUrl: string;
  receiptsDelayMs: number;
  /** Share of receipts that say `failed`. */
  receiptsFailRate: number;
  /** Share of receipts that are told twice. */
  receiptsRepeatRate: number;
  /** Messages of one post at most. */
  receiptsBatchMax: number;
  /** What they name messages by: `key`, or `providerRef`, the id that was answered. */
  receiptsBy: string;
  /** Requests with the same seed meet the same faults in the same order. */
  seed: number;
}

export interface SinkOptionDoc {
  name: keyof SinkOptions;
  /** As on the command line, without the dashes. */
  flag: string;
  default: number | string;
  min?: number;
  max?: number;
  wholeNumber?: boolean;
  doc: string;
  /** Of a text: what it may be; anything but an empty one without it. */
  values?: readonly string[];
}

/** Every option once: what the command line offers and what `checkSinkOptions` holds. */
export const sinkOptions: readonly SinkOptionDoc[] = [
  {
    name: 'port',
    flag: 'port',
    default: 9900,
    min: 0,
    max: 65_535,
    wholeNumber: true,
    doc: 'port to listen on; 0 for any free one',
  },
  { name: 'host', flag: 'host', default: '127.0.0.1', doc: 'address to listen on' },
  {
    name: 'latencyMs',
    flag: 'latency-ms',
    default: 0,
    min: 0,
    max: 600_000,
    doc: 'milliseconds before each answer',
  },
  {
    name: 'failRate',
    flag: 'fail-rate',
    default: 0,
    min: 0,
    max: 1,
    doc: 'share of requests refused before they are counted',
  },
  {
    name: 'failStatus',
    flag: 'fail-status',
    default: 503,
    min: 400,
    max: 599,
    wholeNumber: true,
    doc: 'status of a refused request',
  },
  {
    name: 'hangRate',
    flag: 'hang-rate',
    default: 0,
    min: 0,
    max: 1,
    doc: 'share of requests counted and never answered',
  },
  {
    name: 'resetRate',
    flag: 'reset-rate',
    default: 0,
    min: 0,
    max: 1,
    doc: 'share of requests counted and cut off without an answer',
  },
  {
    name: 'rateLimit',
    flag: 'rate-limit',
    default: 0,
    min: 0,
    max: 10_000_000,
    doc: 'messages per second before 429; 0 for no limit',
  },
  {
    name: 'arrivals',
    flag: 'arrivals',
    default: 0,
    min: 0,
    max: 5_000_000,
    wholeNumber: true,
    doc: 'messages that GET /arrivals keeps, the last ones',
  },
  {
    name: 'arrivalsBatchMax',
    flag: 'arrivals-batch-max',
    default: 0,
    min: 0,
    max: 100_000,
    wholeNumber: true,
    doc: 'messages of the largest batched post that it keeps; 0 keeps only what was posted singly',
  },
  {
    name: 'arrivalsRefPrefix',
    flag: 'arrivals-ref-prefix',
    default: '',
    doc: 'of these it keeps only messages whose ref begins with this; empty for all',
  },
  {
    name: 'receiptsUrl',
    flag: 'receipts-url',
    default: '',
    doc: "a route's receiptsUrl, to which receipts of messages are posted; PUT /receipts {url} sets it later",
  },
  {
    name: 'receiptsDelayMs',
    flag: 'receipts-delay-ms',
    default: 0,
    min: 0,
    max: 3_600_000,
    doc: 'milliseconds from taking a message to its receipt',
  },
  {
    name: 'receiptsFailRate',
    flag: 'receipts-fail-rate',
    default: 0,
    min: 0,
    max: 1,
    doc: 'share of receipts that say failed; the others say delivered',
  },
  {
    name: 'receiptsRepeatRate',
    flag: 'receipts-repeat-rate',
    default: 0,
    min: 0,
    max: 1,
    doc: 'share of receipts that are told twice',
  },
  {
    name: 'receiptsBatchMax',
    flag: 'receipts-batch-max',
    default: 500,
    min: 1,
    max: 5_000,
    wholeNumber: true,
    doc: 'receipts of one post at most',
  },
  {
    name: 'receiptsBy',
    flag: 'receipts-by',
    default: 'key',
    values: ['key', 'providerRef'],
    doc: 'what receipts name messages by: key or providerRef',
  },
  {
    name: 'seed',
    flag: 'seed',
    default: 1,
    min: 0,
    max: 4_294_967_295,
    wholeNumber: true,
    doc: 'seed of the simulated faults',
  },
];

/** The options with their defaults. Throws a RangeError that names the first bad one. */
export function checkSinkOptions(given: Partial<SinkOptions>): SinkOptions {
  const options: Record<string, unknown> = {};
  for (const option of sinkOptions)
    options[option.name] = checkOption(option, given[option.name] ?? option.default);
  const { failRate, hangRate, resetRate } = options as unknown as SinkOptions;
  if (failRate + hangRate + resetRate > 1) {
    throw new RangeError('fail-rate, hang-rate and reset-rate together are 1 at most');
  }
  checkReceiptsUrl(options.receiptsUrl as string);
  return options as unknown as SinkOptions;
}

/** @throws RangeError for what is neither empty nor a URL of HTTP */
export function checkReceiptsUrl(url: string): string {
  const protocol = URL.canParse(url) ? new URL(url).protocol : undefined;
  if (url === '' || protocol === 'http:' || protocol === 'https:') return url;
  throw new RangeError('receipts-url is an http or https URL');
}

function checkOption(option: SinkOptionDoc, value: number | string): number | string {
  const { flag, min, max, wholeNumber } = option;
  if (typeof option.default === 'string') {
    const { values } = option;
    const isAllowed = values ? values.includes(String(value)) : value !== '' || option.default === '';
    if (typeof value === 'string' && isAllowed) return value;
    throw new RangeError(values ? `${flag} is one of ${values.join(', ')}` : `${flag} is text`);
  }
  const fits = typeof value === 'number' && value >= (min ?? -Infinity) && value <= (max ?? Infinity);
  if (fits && (!wholeNumber || Number.isInteger(value))) return value;
  throw new RangeError(`${flag} is a ${wholeNumber ? 'whole ' : ''}number from ${min} to ${max}`);
}
