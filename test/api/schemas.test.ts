import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveClassicApi } from '../../src/api/compat/messagebird/classic-endpoints.ts';
import type { ApiInstance } from '../../src/api/context.ts';
import { endpoints, streamEndpoints } from '../../src/api/routes.ts';
import { startApi, type TestApi } from './start-api.ts';

interface Endpoint {
  name: string;
  schema: Partial<Record<'body' | 'querystring' | 'params' | 'headers', TSchema>> & {
    response?: Record<string, TSchema>;
  };
}

let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.stop());

/** What endpoints say of themselves as they are registered. */
function everyEndpoint(): Endpoint[] {
  const found: Endpoint[] = [];
  const note = (method: string) => (path: string, options: { schema?: Endpoint['schema'] }) =>
    void found.push({ name: `${method} ${path}`, schema: options.schema ?? {} });
  const app: object = new Proxy(() => {}, {
    get(_, name) {
      if (['get', 'post', 'put', 'patch', 'delete'].includes(String(name))) return note(String(name));
      if (name === 'register')
        return (part: (scope: object, options: object, done: () => void) => void) => part(app, {}, () => {});
      return app;
    },
    apply: () => app,
  });
  const instance = app as ApiInstance;
  for (const endpoint of [...endpoints, ...streamEndpoints]) endpoint(instance, api.context);
  serveClassicApi(instance, api.context);
  return found;
}

test('every schema of a request and of an answer compiles, though none is before it is needed', () => {
  const compile = SerializerSelector()();
  const found = everyEndpoint();
  expect(found.length).toBeGreaterThan(80);
  let compiled = 0;
  const faults = found.flatMap(({ name, schema: { response = {}, ...parts } }) => {
    try {
      for (const part of ['body', 'querystring', 'params', 'headers'] as const) {
        if (parts[part] === undefined) continue;
        Compile(parts[part]).Check({});
        compiled++;
      }
      for (const [httpStatus, schema] of Object.entries(response)) {
        const contents = (schema as { content?: Record<string, { schema: TSchema }> }).content;
        for (const one of contents ? Object.values(contents).map((content) => content.schema) : [schema]) {
          compile({ method: 'GET', url: '/', httpStatus, schema: one });
          compiled++;
        }
      }
      return [];
    } catch (fault) {
      return [`${name}: ${String(fault)}`];
    }
  });
  expect(faults).toEqual([]);
  expect(compiled).toBeGreaterThan(120);
});
