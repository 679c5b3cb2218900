import { expect, test } from 'vitest';
import { withoutSecrets } from './without-secrets.ts';

test.each([
  ['postgres://mill@db.internal:5433/m', 'postgres://mill@db.internal:5433/m', true],
  ['postgres://mill:geheim@db.internal/m', 'postgres://mill@db.internal/m', false],
  ['postgresql://db/m?user=mill&password=geheim', 'postgresql://db/m', false],
  ['postgres://mill@db/m?sslpassword=geheim', 'postgres://mill@db/m', false],
  [
    'postgres://mill:geheim@a:5433,b/m?target_session_attrs=primary&x=y',
    'postgres://mill@a:5433,b/m?target_session_attrs=primary',
    false,
  ],
  [
    'postgres://mill@a,b/m?target_session_attrs=primary',
    'postgres://mill@a,b/m?target_session_attrs=primary',
    true,
  ],
])('%s is named without its secrets', (given, url, whole) => {
  expect(withoutSecrets(given)).toEqual({ url, whole });
});
