import { expect, test } from 'vitest';
import { editPostgresUrl, parsePostgresUrl, serverOf } from './postgres-url.ts';

test('several hosts are taken as libpq takes them, each with what is common to all', () => {
  const text =
    'postgres://me:a%2Cb@db1:5433,db2,[::1]:5434/mill?target_session_attrs=primary&sslmode=disable';
  expect(parsePostgresUrl(text)).toEqual({
    target: 'primary',
    hosts: [
      { name: 'db1:5433', url: 'postgres://me:a%2Cb@db1:5433/mill?sslmode=disable' },
      { name: 'db2:5432', url: 'postgres://me:a%2Cb@db2/mill?sslmode=disable' },
      { name: '[::1]:5434', url: 'postgres://me:a%2Cb@[::1]:5434/mill?sslmode=disable' },
    ],
  });
});

test('of several hosts the one that takes writes is meant, of a single one nothing is asked', () => {
  expect(parsePostgresUrl('postgres://db1,db2/mill').target).toBe('read-write');
  const single = 'postgres://me@db1/mill?options=-c%20geqo%3Doff';
  expect(parsePostgresUrl(single)).toEqual({ hosts: [{ name: 'db1:5432', url: single }] });
  expect(parsePostgresUrl('postgres://db1/mill?target_session_attrs=any')).toMatchObject({ target: 'any' });
});

test.each([
  ['postgres://me@db1/mill', 'db1', undefined],
  ['postgres://me@db1:5433/mill', 'db1', '5433'],
  ['postgres://me@[::1]:5433/mill', '[::1]', '5433'],
  ['postgres://me@db1:5433/mill?host=db2&port=5434', 'db2', '5434'],
  ['postgres://me@db1:5433/mill?host=&port=', 'db1', '5433'],
  ['postgres:///mill', 'localhost', undefined],
])('%s leads where its connections go', (url, host, port) => {
  expect(serverOf(url)).toEqual({ host, port });
});

test.each([
  ['http://db1/mill', /PostgreSQL URL/],
  ['postgres://db1:port/mill', /PostgreSQL URL/],
  ['postgres://db1,,db2/mill', /both sides of each comma/],
  ['postgres://db1,db2,/mill', /both sides of each comma/],
  ['postgres://db1,db2:port/mill', /host:port; db2:port is neither/],
  ['postgres://db1,db2:65536/mill', /db2:65536/],
  ['postgres://db1,db2/mill?port=5433', /one place/],
  ['postgres://db/mill?host=db1,db2', /before the name/],
  ['postgres://db1,db2/mill?load_balance_hosts=random', /load_balance_hosts/],
  ['postgres://db1,db2/mill?target_session_attrs=standby', /read-write, primary, any/],
  [`postgres://${Array.from({ length: 17 }, (_, at) => `db${at}`).join(',')}/mill`, /16 hosts/],
])('%s is refused with its reason', (text, reason) => {
  expect(() => parsePostgresUrl(text)).toThrow(reason);
});

test('a refusal does not repeat the password', () => {
  for (const text of [
    'postgres://me:s3cret@db1:x/m',
    'postgres://me:s3cret@db1,:x/m',
    'mysql://me:s3cret@h/m',
  ]) {
    expect(() => parsePostgresUrl(text)).toThrow(expect.not.stringContaining('s3cret'));
  }
});

test('what is common to all hosts is changed, and they stay', () => {
  const hide = (url: URL) => {
    url.password = '***';
  };
  expect(editPostgresUrl('postgres://me:x@db1:5433,db2/mill?a=b', hide)).toBe(
    'postgres://me:***@db1:5433,db2/mill?a=b',
  );
});
