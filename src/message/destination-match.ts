import type { Channel } from './fields.ts';

/** Where a message goes, as far as limits tell destinations apart. */
export interface MatchedDestination {
  match: string;
  /** The host or domain that `*` matched; absent where all that match count together. */
  host?: string;
}

/** A `match` in the form in which it is compared, or what is wrong with it. */
export function readMatch(
  text: string,
  channel: Channel | undefined,
): { match: string } | { problem: string } {
  if (text === '*') return channel === 'sms' ? { problem: notEachNumber } : { match: text };
  if (text.startsWith('+')) {
    if (channel === 'email' || channel === 'webhook') return { problem: notOf[channel] };
    return /^\+[1-9]\d{0,14}$/.test(text) ? { match: text } : { problem: notPrefix };
  }
  // A URL would take them for the number of an IPv4 address.
  if (/^\d+$/.test(text))
    return { problem: channel === 'email' || channel === 'webhook' ? notOf[channel] : bare(text) };
  if (channel === 'sms') return { problem: notPrefix };
  const below = text.startsWith('*.');
  const host = canonicalHost(below ? text.slice(2) : text);
  if (host === undefined || host.includes('*')) return { problem: channel ? notOf[channel] : notAny };
  return { match: below ? `*.${host}` : host };
}

/** A number without its plus, or with the 00 of a telephone instead. */
function bare(digits: string): string {
  const number = digits.replace(/^00/, '');
  const meant = /^[1-9]\d{0,14}$/.test(number) ? `: did you mean +${number}?` : '';
  return `${notPrefix}${meant}`;
}

const notPrefix = 'must be the beginning of an E.164 number, such as +31 or +4479';
const notEachNumber =
  '"*" limits every other host or domain for itself, and numbers have none: name prefixes such as +31';
const notOf = {
  email: 'must be a domain, such as example.com, *.example.com for those below it, or *',
  webhook:
    'must be a host without scheme and port, such as example.com, *.example.com for those below it, or *',
};
const notAny =
  'must be the beginning of a number, such as +31, a domain, such as example.com or *.example.com, or *';

const urlsKept = 1_000;

/** Finds the limit that is meant for a recipient: the longest prefix, the host itself, the nearest `*.` above it, `*`. */
export class DestinationMatcher {
  readonly #matches: ReadonlySet<string>;
  readonly #prefixMax: number;
  readonly #each: boolean;
  /** Of URLs before: endpoints get many messages, and reading a URL costs as much as signing one. */
  readonly #known = new Map<string, MatchedDestination | undefined>();

  /** `matches` as `readMatch` gives them. */
  constructor(matches: readonly string[]) {
    this.#matches = new Set(matches);
    const prefixes = matches.filter((match) => match.startsWith('+'));
    this.#prefixMax = prefixes.reduce((most, { length }) => Math.max(most, length), 0);
    this.#each = this.#matches.has('*');
  }

  find(to: string): MatchedDestination | undefined {
    if (to.startsWith('+')) return this.#findPrefix(to);
    if (!isUrl(to)) return this.#findHost(to);
    if (this.#known.has(to)) return this.#known.get(to);
    const found = this.#findHost(to);
    if (this.#known.size >= urlsKept) this.#known.clear();
    this.#known.set(to, found);
    return found;
  }

  #findHost(to: string): MatchedDestination | undefined {
    const host = hostOf(to);
    if (host === '') return undefined;
    if (this.#matches.has(host)) return { match: host };
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const above = `*${host.slice(dot)}`;
      if (this.#matches.has(above)) return { match: above };
    }
    return this.#each ? { match: '*', host } : undefined;
  }

  #findPrefix(number: string): MatchedDestination | undefined {
    for (let length = Math.min(this.#prefixMax, number.length); length > 1; length--) {
      const match = number.slice(0, length);
      if (this.#matches.has(match)) return { match };
    }
    return undefined;
  }
}

/** Of a URL the host, of an address the domain, in the form of `canonicalHost`. */
function hostOf(to: string): string {
  if (isUrl(to)) return URL.canParse(to) ? withoutEndDot(new URL(to).hostname) : '';
  const domain = to.slice(to.lastIndexOf('@') + 1);
  return canonicalHost(domain) ?? domain.toLowerCase();
}

function isUrl(to: string): boolean {
  return /^https?:\/\//i.test(to);
}

/** Lower case, and as DNS has names outside ASCII: what a URL makes of a host. */
function canonicalHost(host: string): string | undefined {
  const lowered = host.toLowerCase();
  if (plainHost.test(lowered) && !numericEnd.test(lowered)) return lowered;
  if (!hostCharacters.test(host) || !URL.canParse(`http://${host}/`)) return undefined;
  return withoutEndDot(new URL(`http://${host}/`).hostname);
}

/** What the URL parser would leave as it is: told without it, for every message asks. */
const plainHost = /^[a-z0-9-]+(\.[a-z0-9-]+)*$/;
/** It takes such a host for an IPv4 address. */
const numericEnd = /(^|\.)(\d+|0x[0-9a-f]*)$/;
/** Nothing that would end the host in a URL, but for an IPv6 address. */
const hostCharacters = /^(\[[0-9a-fA-F:.]+\]|[^\s/?#@:\\%[\]]+)$/;

function withoutEndDot(host: string): string {
  return host.endsWith('.') ? host.slice(0, -1) : host;
}
