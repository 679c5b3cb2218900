import fc from 'fast-check';
import { expect, test } from 'vitest';
import { environmentOf } from './environment-of.ts';
import { optionNames } from './options.ts';
import { resolveConfig } from './resolve-config.ts';

test('another process resolves the same configuration from the environment made of it', () => {
  const flags = fc.record(
    {
      port: fc.integer({ min: 0, max: 65_535 }).map(String),
      host: fc.constantFrom('::1', '0.0.0.0'),
      data: fc.constantFrom('.', '/var/lib/x', '~/y z'),
      database: fc.constant('postgres://user:p%40ss@h:1/d?sslmode=require'),
      roles: fc.constantFrom('deliver', 'deliver,api'),
      processes: fc.integer({ min: 1, max: 64 }).map(String),
      namedStatements: fc.constantFrom('false', 'yes'),
      leaseMs: fc.integer({ min: 1_000, max: 300_000 }).map(String),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(flags, (given) => {
      const config = resolveConfig({ flags: given, env: { MILLRACE_LOG_LEVEL: 'debug' } });
      const again = resolveConfig({ flags: {}, env: environmentOf(config) });
      for (const name of optionNames) expect(again[name]).toEqual(config[name]);
    }),
  );
});
