/** Which of several hosts a connection may be to: `target_session_attrs` of libpq (PostgreSQL documentation, 34.1.2). */
export type TargetSession = (typeof targetSessions)[number];

export interface PostgresHost {
  /** As it is told to people: `db1:5432`. */
  name: string;
  /** The whole URL, of this host alone. */
  url: string;
}

export interface PostgresUrl {
  /** In the order in which they are named. */
  hosts: PostgresHost[];
  /** Absent where one host is named and nothing is asked of it. */
  target?: TargetSession;
}

const targetSessions = ['read-write', 'primary', 'any'] as const;
/** Where a URL names no port. */
export const usualPort = '5432';
const hostsMax = 16;
const targetParameter = 'target_session_attrs';
const wanted = 'must be a PostgreSQL URL: postgres://user:password@host:5432/name';

/**
 * Reads a URL that may name several hosts, as libpq takes them: `postgres://user@db1,db2:5433/name`. Several are
 * asked for the one that takes writes, unless `target_session_attrs=any` says that each does.
 * @throws TypeError whose message is to be put behind the URL's name, and repeats nothing of it but hosts
 */
export function parsePostgresUrl(text: string): PostgresUrl {
  const { before, hosts, after } = cut(text);
  if (hosts.length > hostsMax) throw new TypeError(`must name ${hostsMax} hosts at most`);
  const urls = hosts.map((host) => readHost(host, { before, after, alone: hosts.length === 1 }));
  const asked = targetOf(urls[0]!);
  if (hosts.length === 1 && asked === undefined) return { hosts: [{ name: nameOf(urls[0]!), url: text }] };
  return {
    hosts: urls.map((url) => {
      url.searchParams.delete(targetParameter);
      return { name: nameOf(url), url: url.href };
    }),
    target: asked ?? 'read-write',
  };
}

/** Changes a URL in what is the same for all of its hosts; they stay as they are. */
export function editPostgresUrl(text: string, edit: (url: URL) => void): string {
  const { before, hosts, after } = cut(text);
  const url = new URL(`${before}${hosts[0]}${after}`);
  edit(url);
  return url.href.replace(/^([^:]+:\/\/(?:[^/?#]*@)?)[^/?#]*/, (_, start: string) => start + hosts.join(','));
}

/** The server that a URL with one host leads to. The driver takes a parameter before what stands in the usual place. */
export function serverOf(url: string | URL): { host: string; port: string | undefined } {
  const { hostname, port, searchParams } = new URL(url);
  return {
    host: searchParams.get('host') || hostname || 'localhost',
    port: searchParams.get('port') || port || undefined,
  };
}

/** What stands before the hosts, and after them. */
function cut(text: string): { before: string; hosts: string[]; after: string } {
  const [, scheme, authority, after] = /^(postgres(?:ql)?:\/\/)([^/?#]*)(.*)$/s.exec(text) ?? [];
  if (scheme === undefined || authority === undefined || after === undefined) throw new TypeError(wanted);
  const at = authority.lastIndexOf('@') + 1;
  return { before: scheme + authority.slice(0, at), hosts: authority.slice(at).split(','), after };
}

function readHost(
  host: string,
  { before, after, alone }: { before: string; after: string; alone: boolean },
): URL {
  const text = `${before}${host}${after}`;
  if (alone) {
    if (!URL.canParse(text)) throw new TypeError(wanted);
    return new URL(text);
  }
  if (host === '') throw new TypeError('must name a host on both sides of each comma');
  if (!URL.canParse(text)) throw new TypeError(`must name hosts as host or host:port; ${host} is neither`);
  const url = new URL(text);
  if (url.searchParams.has('host') || url.searchParams.has('port')) {
    throw new TypeError('must name its hosts in one place: several of them, or the parameters host and port');
  }
  return url;
}

function targetOf({ searchParams }: URL): TargetSession | undefined {
  if (searchParams.get('host')?.includes(',')) {
    throw new TypeError(
      'must name several hosts before the name of the database: postgres://user@db1,db2/name',
    );
  }
  if ((searchParams.get('load_balance_hosts') ?? 'disable') !== 'disable') {
    throw new TypeError('cannot have load_balance_hosts: all connections go to the host that takes writes');
  }
  const value = searchParams.get(targetParameter);
  if (value === null) return undefined;
  const target = targetSessions.find((known) => known === value);
  if (target) return target;
  throw new TypeError(
    `must have ${targetSessions.join(', ')} as ${targetParameter}: Millrace writes to the host it connects to`,
  );
}

function nameOf(url: URL): string {
  const { host, port } = serverOf(url);
  return `${host}:${port ?? usualPort}`;
}
