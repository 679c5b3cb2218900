import { describe, expect, it } from 'vitest';
import { checkHttpOptions } from './http-options.ts';

const url = 'https://provider.example/send';

describe('the options of the http connector', () => {
  it.each([
    { url },
    { url: 'http://127.0.0.1:8081/x?y=z', allowPrivate: true },
    {
      url,
      headers: { Authorization: 'Bearer x' },
      batch: { max: 500 },
      timeoutMs: 5_000,
      allowPrivate: false,
    },
    {
      url,
      bodyTemplate: { to: '{{to}}', nested: [{ text: 'Hi {{ metadata.name }}' }], fixed: 1, gone: null },
    },
  ])('may be %j', (options) => {
    expect(checkHttpOptions(options)).toEqual([]);
  });

  it.each<[Record<string, unknown>, string, string]>([
    [{}, '/url', 'required'],
    [{ url: 1 }, '/url', 'invalid_type'],
    [{ url: 'provider' }, '/url', 'invalid_value'],
    [{ url: 'ftp://provider.example' }, '/url', 'invalid_value'],
    [{ url: 'https://user:secret@provider.example' }, '/url', 'invalid_value'],
    [{ url: `${url}#part` }, '/url', 'invalid_value'],
    [{ url: 'http://169.254.169.254/latest' }, '/url', 'address_not_allowed'],
    [{ url: 'http://[::1]/' }, '/url', 'address_not_allowed'],
    [{ url: 'http://0x7f.1/' }, '/url', 'address_not_allowed'],
    [{ url, speed: 1 }, '/speed', 'unknown_field'],
    [{ url, constructor: 1 }, '/constructor', 'unknown_field'],
    [{ url, headers: [] }, '/headers', 'invalid_type'],
    [{ url, headers: { 'a b': 'x' } }, '/headers/a b', 'invalid_value'],
    [{ url, headers: { a: 1 } }, '/headers/a', 'invalid_type'],
    [{ url, headers: { a: 'x\r\nhost: y' } }, '/headers/a', 'invalid_value'],
    [{ url, headers: { a: 'x', A: 'y' } }, '/headers/A', 'invalid_value'],
    [{ url, headers: { 'Content-Length': '3' } }, '/headers/Content-Length', 'not_allowed'],
    [{ url, headers: { 'Idempotency-Key': 'x' } }, '/headers/Idempotency-Key', 'not_allowed'],
    [{ url, batch: 500 }, '/batch', 'invalid_type'],
    [{ url, batch: {} }, '/batch/max', 'required'],
    [{ url, batch: { max: 1_001 } }, '/batch/max', 'out_of_range'],
    [{ url, batch: { max: 2, min: 1 } }, '/batch/min', 'unknown_field'],
    [{ url, timeoutMs: '5s' }, '/timeoutMs', 'invalid_type'],
    [{ url, timeoutMs: 0 }, '/timeoutMs', 'out_of_range'],
    [{ url, allowPrivate: 'yes' }, '/allowPrivate', 'invalid_type'],
    [{ url, bodyTemplate: { 'a/b': '{{too}}' } }, '/bodyTemplate/a~1b', 'unknown_template_field'],
    [{ url, bodyTemplate: ['{{to'] }, '/bodyTemplate/0', 'invalid_template'],
  ])('%j are refused at %s', (options, pointer, code) => {
    expect(checkHttpOptions(options)).toMatchObject([{ pointer, code, detail: expect.any(String) }]);
  });

  it('are told all their problems at once', () => {
    const problems = checkHttpOptions({ url: 'x', timeoutMs: 1, batch: { max: 0 }, other: true });
    expect(problems.map(({ pointer }) => pointer).sort()).toEqual([
      '/batch/max',
      '/other',
      '/timeoutMs',
      '/url',
    ]);
  });
});
