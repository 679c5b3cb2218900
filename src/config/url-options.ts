import { editPostgresUrl, parsePostgresUrl, serverOf, usualPort } from '../lib/postgres-url.ts';
import { type Description, type Option, ValueError } from './option.ts';

export function databaseUrl(description: Description<string | undefined>): Option<string | undefined> {
  return {
    ...description,
    parse(value) {
      try {
        parsePostgresUrl(String(value));
      } catch (error) {
        throw new ValueError((error as TypeError).message);
      }
      return String(value);
    },
  };
}

export function replicaUrls(description: Description<readonly string[]>): Option<readonly string[]> {
  return {
    ...description,
    parse(value) {
      // A comma between hosts, or in a password, begins no URL.
      const urls = typeof value === 'string' ? value.split(/\s*,\s*(?=postgres(?:ql)?:\/\/)/) : value;
      if (!Array.isArray(urls) || urls.length === 0 || !urls.every(isOneServer)) {
        throw new ValueError(
          'must be URLs of one PostgreSQL server each: postgres://user:password@host:5432/name',
        );
      }
      if (urls.some((url) => new URL(url as string).searchParams.has('target_session_attrs'))) {
        throw new ValueError('must be without target_session_attrs: each leads to a standby, whatever it is');
      }
      if (urls.length > replicasMax) throw new ValueError(`must be ${replicasMax} at most`);
      const places = new Set(urls.map((url) => placeOf(url as string)));
      if (places.size < urls.length) throw new ValueError('must name each server once');
      return urls as string[];
    },
  };
}

/** Each is asked where it is twice a second. */
const replicasMax = 32;

function isOneServer(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, host, pathname, searchParams } = new URL(value);
  // Behind a name's comma stands what was meant as another server, and is no URL of one.
  const isOne = [host, pathname, searchParams.get('host') ?? ''].every((part) => !part.includes(','));
  return isOne && (protocol === 'postgres:' || protocol === 'postgresql:');
}

/** Which server, and which database of it: the rest of a URL is how to get in. */
export function placeOf(databaseUrl: string): string {
  const { host, port = usualPort } = serverOf(databaseUrl);
  return `${host.toLowerCase()}:${port}${new URL(databaseUrl).pathname}`;
}

export function withoutPassword(value: string | undefined): string {
  return editPostgresUrl(value ?? '', (url) => {
    if (url.password !== '') url.password = '***';
    if (url.searchParams.has('password')) url.searchParams.set('password', '***');
  });
}

export function origin(description: Description<string | undefined>): Option<string | undefined> {
  return {
    ...description,
    parse(value) {
      const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
      const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
      if (url && isHttp && url.href === `${url.origin}/`) return url.origin;
      throw new ValueError('must be http(s)://host:port, without a user, a path or a query');
    },
    // A user and a password are refused, and not shown either.
    redact: (url) => url ?? '(none)',
  };
}

/** As it was typed: OpenTelemetry's own variable goes on to further processes beside it. */
export function collector(description: Description<string | undefined>): Option<string | undefined> {
  return {
    ...description,
    parse(value) {
      const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
      const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
      if (url && isHttp && url.username + url.password + url.search + url.hash === '') return value as string;
      throw new ValueError(
        'must be http(s)://host:port, without a user and a query: what a collector asks for goes into otlpHeaders (MILLRACE_OTLP_HEADERS)',
      );
    },
    redact: (url) => url ?? '(none)',
  };
}
