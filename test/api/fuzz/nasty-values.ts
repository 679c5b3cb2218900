import type { SeededRandom } from '../../simulation/seeded-random.ts';

/** Parts of a path or a query that have broken a server somewhere. */
export const nastyParts: readonly string[] = [
  '', '%00', '%ff', '%', '..', '%2e%2e%2f', '__proto__', 'constructor', 'null', '-1', '0', '1e400', '9'.repeat(30),
  '2147483648', '9223372036854775808', 'NaN', "'; DROP TABLE account; --", '%F0%9F%92%A9', '%ED%A0%80', 'a'.repeat(299),
  '018f0000-0000-7000-8000-000000000000', '018F0000-0000-7000-8000-000000000000', '+31612345678',
  'ffffffff-ffff-7fff-bfff-ffffffffffff', '00000000-0000-7000-8000-000000000000', '2026-01-01T00:00:00Z',
  '99999-99-99T99:99:99Z', 'true', '[]', '%0d%0aSet-Cookie:x', '\u00e9',
]; // biome-ignore format: a table

const nastyValues: readonly unknown[] = [
  null, true, false, 0, -0, -1, 1.5, 1e308, 2 ** 31, 2 ** 53, '', ' ', '\0', '\ud800', '\uffff', '\u202e', [], {}, [[]],
  [null], { toString: 1 }, { constructor: {} }, 'x'.repeat(70_000), 'x'.repeat(257), '9'.repeat(400), '1', 'known',
  '2100-02-30T00:00:00Z', '2026-12-31T23:59:60Z', '+0001-01-01T00:00:00Z', 'http://[::1', 'http://127.0.0.1:1/',
  'javascript:alert(1)', '{{', '{{a}}{{/b}}', '%s%n', Array(2_000).fill('x'),
]; // biome-ignore format: a table

/** Something else in place of one part of a value, somewhere in it. */
export function mutateValue(value: unknown, random: SeededRandom): unknown {
  if (typeof value !== 'object' || value === null || random.chance(0.15)) return random.pick(nastyValues);
  if (Array.isArray(value)) {
    if (value.length === 0 || random.chance(0.2)) return [...value, random.pick(nastyValues)];
    const at = random.whole(0, value.length - 1);
    return value.map((item, index) => (index === at ? mutateValue(item, random) : item));
  }
  const entries = Object.entries(value);
  if (entries.length === 0 || random.chance(0.2)) {
    const name = random.pick([
      'x',
      '__proto__',
      'constructor',
      '',
      '\0',
      'expiresAt',
      'payload',
      'destinations',
      'sendWindow',
    ]);
    return Object.fromEntries([...entries, [name, random.pick(nastyValues)]]);
  }
  const at = random.whole(0, entries.length - 1);
  if (random.chance(0.15)) return Object.fromEntries(entries.filter((_, index) => index !== at));
  return Object.fromEntries(
    entries.map(([name, item], index) => [name, index === at ? mutateValue(item, random) : item]),
  );
}

/** Some bytes changed, put in, taken out or repeated. */
export function mutateBytes(bytes: Buffer, random: SeededRandom): Buffer {
  const changed = [...bytes];
  for (let change = random.whole(1, 4); change > 0 && changed.length > 0; change--) {
    const at = random.whole(0, changed.length - 1);
    const kind = random.whole(0, 4);
    if (kind === 0) changed[at] = random.whole(0, 255);
    else if (kind === 1) changed.splice(at, random.whole(1, 20));
    else if (kind === 2) changed.splice(at, 0, ...random.bytes(random.whole(1, 8)));
    else if (kind === 3) changed.splice(at, 0, ...changed.slice(at, at + random.whole(1, 200)));
    else changed.length = at;
  }
  return Buffer.from(changed);
}
