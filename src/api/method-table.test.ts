import { expect, test } from 'vitest';
import { createMethodTable } from './method-table.ts';

test('a path knows the methods of every template that fits it', () => {
  const table = createMethodTable();
  table.add(['GET', 'HEAD'], '/v1/things');
  table.add('POST', '/v1/things');
  table.add('DELETE', '/v1/things/:id');
  table.add('GET', '/v1/things/search');
  expect(table.allowedAt('/v1/things?limit=1')).toEqual(['GET', 'HEAD', 'OPTIONS', 'POST']);
  expect(table.allowedAt('/v1/things/search')).toEqual(['DELETE', 'GET', 'OPTIONS']);
  expect(table.allowedAt('/v1/things/a/b')).toEqual([]);
  expect(table.allowedAt('/v1/thingsx')).toEqual([]);
  expect(table.allowedAt('/v1/things/')).toEqual([]);
});

test('a template is no regular expression', () => {
  const table = createMethodTable();
  table.add('GET', '/openapi.json');
  expect(table.allowedAt('/openapixjson')).toEqual([]);
});
