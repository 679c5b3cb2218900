import { expect, test } from 'vitest';
import { createClient } from './client.ts';

test.each([
  [undefined, 'url is undefined; give where the server listens, such as "http://127.0.0.1:8080"'],
  ['', 'url is ""; give where'],
  ['localhost:8080', 'url is "localhost:8080"; give where'],
  ['ftp://127.0.0.1', 'give where'],
  ['http://', 'give where'],
  ['http://host/v1', 'calls add /v1 themselves: give "http://host"'],
  ['https://host:1/messages/v1/', 'give "https://host:1/messages"'],
])('a client is not made for the URL %s, and says what to give', (url, message) => {
  expect(() => createClient({ url: url as string })).toThrow(TypeError);
  expect(() => createClient({ url: url as string })).toThrow(message);
});

test.each(['http://127.0.0.1:8080', 'https://host/', 'https://host/behind/v1.1'])(
  'a client is made for %s',
  (url) => {
    createClient({ url }).close();
  },
);
