import { gzipSync } from 'node:zlib';
import type { SeededRandom } from '../../simulation/seeded-random.ts';
import { goodBodies, goodQueries, type KnownIds } from './good-requests.ts';
import { mutateBytes, mutateValue, nastyParts } from './nasty-values.ts';

/** One call of the server's own description of itself. */
export interface Operation {
  method: string;
  /** With its parameters in braces. */
  path: string;
  query: readonly string[];
  types: readonly string[];
}

export interface FuzzRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

export interface RequestSource {
  operations: readonly Operation[];
  ids: KnownIds;
  random: SeededRandom;
}

/** A call with valid ids, keys and body, or with some of them wrong. */
export function randomRequest(source: RequestSource): FuzzRequest {
  const { random, operations } = source;
  const operation = random.pick(operations);
  const path = pathOf(operation, source) + queryOf(operation, source);
  const type = random.chance(0.9)
    ? typeOf(operation, random)
    : random.pick(['x', '', 'application/json; charset=utf-16']);
  const text = bodyOf(operation, type, source);
  const zipped = random.chance(0.05);
  const body = zipped ? maybe(gzipSync(text), random) : text;
  return { method: operation.method, path, headers: headersOf({ type, zipped, random }), body };
}

/** A call with nothing wrong: of the newest thing of its kind, where it takes one. */
export function plainRequest({ method, path, types }: Operation, ids: KnownIds): FuzzRequest {
  const [, , resource = ''] = path.split('/');
  const known = ids[resource as keyof KnownIds] ?? [];
  const good = goodBodies[`${method} ${path}`]?.(ids);
  const type = types.find((each) => each === 'application/json') ?? types[0] ?? 'application/json';
  const body = good === undefined ? Buffer.alloc(0) : Buffer.from(textOf(good, type));
  const query = goodQueries[`${method} ${path}`] ?? '';
  const at = path.replace(/\{\w+\}/, known.at(-1) ?? '1');
  // Money is given once for a key.
  const key = path.endsWith('/credit') && { 'idempotency-key': `fuzz-${Math.random()}` };
  return { method, path: at + query, headers: { 'content-type': type, ...key }, body };
}

/** The bytes of a request, with some of them wrong, in the head above all. */
export function randomBytes(source: RequestSource, adminKey: string): Buffer {
  const { random } = source;
  const { method, path, headers, body } = randomRequest(source);
  const lines = Object.entries({
    host: 'localhost',
    authorization: `Bearer ${adminKey}`,
    ...headers,
    ...(random.chance(0.2) ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(body.length) }),
    ...(random.chance(0.3) && {
      [random.pick(['content-length', 'x', 'Host', 'expect', 'upgrade', 'connection'])]:
        random.pick(nastyParts),
    }),
  }).map(([name, value]) => `${name}: ${value}`);
  const head = [
    `${method} ${path} ${random.pick(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/9.9', ''])}`,
    ...lines,
  ];
  const bytes = Buffer.from(`${head.join(random.chance(0.95) ? '\r\n' : '\n')}\r\n\r\n`, 'latin1');
  return Buffer.concat([random.chance(0.8) ? mutateBytes(bytes, random) : bytes, body]);
}

function pathOf({ method, path }: Operation, { random, ids }: RequestSource): string {
  if (random.chance(0.02)) return `/${random.pick(nastyParts)}`;
  const [, , resource = ''] = path.split('/');
  const known = ids[resource as keyof KnownIds] ?? [];
  // The account and the key of all of this stay as they are.
  const isOwn = (part: string) => part === '1' && ['accounts', 'keys'].includes(resource) && method !== 'GET';
  const others = nastyParts.filter((part) => !isOwn(part));
  const part = known.length > 0 && random.chance(0.75) ? random.pick(known) : random.pick(others);
  return path.replace(/\{\w+\}/, part);
}

function queryOf({ query }: Operation, { random, ids }: RequestSource): string {
  const pairs: string[] = [];
  while (random.chance(0.35) && pairs.length < 4) {
    const name = random.pick([...query, 'x', 'close', 'atomic', 'route']);
    const values = ['1', 'true', 'known', 'ndjson', 'csv', 'failed', '+31612345678', '2026-01-01T00:00:00Z'];
    pairs.push(`${name}=${random.pick([...values, ...nastyParts, ...ids.messages.slice(-3)])}`);
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

function typeOf({ types }: Operation, random: SeededRandom): string {
  return types.length === 0 ? 'application/json' : random.pick(types);
}

function bodyOf({ method, path }: Operation, type: string, { random, ids }: RequestSource): Buffer {
  const good = goodBodies[`${method} ${path}`]?.(ids);
  if (good === undefined)
    return random.chance(0.9) ? Buffer.alloc(0) : Buffer.from(random.bytes(random.whole(0, 64)));
  let value: unknown = good;
  for (let change = random.pick([0, 0, 1, 1, 2]); change > 0; change--) value = mutateValue(value, random);
  return maybe(Buffer.from(textOf(value, type)), random);
}

function textOf(value: unknown, type: string): string {
  const rows = Array.isArray(value) ? value : [value];
  if (type.includes('ndjson')) return rows.map((row) => JSON.stringify(row)).join('\n');
  if (!type.includes('csv')) return JSON.stringify(value) ?? '';
  const names = [...new Set(rows.flatMap((row) => Object.keys(row ?? {})))];
  const cell = (field: unknown) =>
    typeof field === 'string' ? field : `"${JSON.stringify(field)?.replaceAll('"', '""')}"`;
  return [names.join(','), ...rows.map((row) => names.map((name) => cell(row?.[name])).join(','))].join('\n');
}

function maybe(bytes: Buffer, random: SeededRandom): Buffer {
  return random.chance(0.1) && bytes.length < 10_000 ? mutateBytes(bytes, random) : bytes;
}

function headersOf(of: { type: string; zipped: boolean; random: SeededRandom }): Record<string, string> {
  const { type, zipped, random } = of;
  const rare = <Value>(name: string, values: readonly Value[]) =>
    random.chance(0.06) && { [name]: random.pick(values) };
  return {
    'content-type': type,
    ...(zipped && { 'content-encoding': 'gzip' }),
    ...rare('content-encoding', ['gzip', 'br', 'x']),
    ...rare('idempotency-key', [`k${random.whole(0, 20)}`, '', 'k'.repeat(300), 'k\xff']),
    ...rare('upload-line', ['0', '1', '2', '-1', 'x', '1e9', '9'.repeat(20)]),
    ...rare('accept', ['text/csv', '*/*', ';']),
    ...rare('expect', ['100-continue', 'x']),
    ...rare('authorization', ['Bearer x', 'Basic eDp5', 'Bearer', '', `Bearer ${'x'.repeat(9_000)}`]),
  };
}
