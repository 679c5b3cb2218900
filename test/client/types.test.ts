import ts from 'typescript';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RouteBody } from '../../src/api/routes/route-fields.ts';
import { startApi, type TestApi } from '../api/start-api.ts';

/** What a type of the client is of: the body of a call, or its good answer. */
const described = {
  NewBatch: 'POST /v1/batches body',
  Batch: 'GET /v1/batches/{id} answer',
  AppendAnswer: 'POST /v1/batches/{id}/messages answer',
  ReplayFilter: 'POST /v1/batches/{id}/replay body',
  ReplayedBatch: 'POST /v1/batches/{id}/replay answer',
  Resolution: 'POST /v1/batches/{id}/resolve body',
  ResolvedBatch: 'POST /v1/batches/{id}/resolve answer',
  NewMessage: 'POST /v1/messages body',
  SendAnswer: 'POST /v1/messages answer',
  Message: 'GET /v1/messages/{id} answer',
  EventPage: 'GET /v1/events answer',
  TestMessage: 'POST /v1/routes/{name}/test body',
  RouteTest: 'POST /v1/routes/{name}/test answer',
  NewAccount: 'POST /v1/accounts body',
  Account: 'GET /v1/accounts/{id} answer',
  AccountUsage: 'GET /v1/accounts/{id}/usage answer',
  NewCredit: 'POST /v1/accounts/{id}/credit body',
  Credit: 'POST /v1/accounts/{id}/credit answer',
  NewKey: 'POST /v1/keys body',
  Key: 'POST /v1/keys answer',
  NewTemplate: 'POST /v1/templates body',
  Template: 'GET /v1/templates/{id} answer',
  TemplatePreview: 'POST /v1/templates/{id}/preview answer',
  NewWebhookEndpoint: 'POST /v1/webhooks body',
  WebhookEndpoint: 'POST /v1/webhooks answer',
  NewSuppression: 'POST /v1/suppressions body',
  Suppression: 'GET /v1/suppressions/{id} answer',
  AddedSuppressions: 'POST /v1/suppressions answer',
  SigningKey: 'PUT /v1/signing-key answer',
  Erasure: 'POST /v1/recipients/erase answer',
  Statistics: 'GET /v1/statistics answer',
};

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  allOf?: Schema[];
}

interface Operation {
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content: Record<string, { schema: Schema }> }>;
}

let api: TestApi;
let paths: Record<string, Record<string, Operation>>;
const file = new URL('../../src/client/client.ts', import.meta.url).pathname;
const program = ts.createProgram([file], {
  strict: true,
  exactOptionalPropertyTypes: true,
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  allowImportingTsExtensions: true,
  noEmit: true,
  types: ['node'],
});
const checker = program.getTypeChecker();

beforeAll(async () => {
  api = await startApi();
  paths = (await api.call('GET', '/openapi.json', { key: null })).json.paths;
});

afterAll(() => api.stop());

it.each(Object.entries(described))('%s has every field that the API describes', (name, place) => {
  const [method, path, part] = place.split(' ') as [string, string, string];
  const { requestBody, responses } = paths[path]![method.toLowerCase()]!;
  const { content } =
    part === 'body' ? requestBody! : (responses['200'] ?? responses['201'] ?? responses['202'])!;
  const wanted = fieldsOfSchema(content['application/json']!.schema);
  expect(wanted.length).toBeGreaterThan(0);
  expect(missingIn(name, wanted)).toEqual([]);
});

it('a route has every field that is not an option of its connector, given and answered', async () => {
  expect(missingIn('NewHttpRoute', fieldsOfSchema(RouteBody as Schema))).toEqual([]);
  const connector = { connector: 'http', url: 'http://127.0.0.1:9/', allowPrivate: true };
  const { json } = await api.call('PUT', '/v1/routes/whole', { body: connector });
  const answered = Object.keys(json).filter((name) => !['url', 'allowPrivate'].includes(name));
  expect(answered).toContain('retry');
  expect(missingIn('Route', answered)).toEqual([]);
});

it('every call takes an AbortSignal', () => {
  const calls = callsOf(typeNamed('Client'));
  expect(calls.size).toBeGreaterThan(60);
  const without = [...calls].filter(([name, call]) => name !== 'close' && !takesSignal(call));
  expect(without.map(([name]) => name)).toEqual([]);
});

/** By name, such as `batches.send`. */
function callsOf(type: ts.Type, at = ''): Map<string, ts.Signature> {
  return new Map(
    type.getProperties().flatMap((property): [string, ts.Signature][] => {
      const member = checker.getTypeOfSymbol(property);
      const [call] = member.getCallSignatures();
      const name = at + property.name;
      return call ? [[name, call]] : [...callsOf(member, `${name}.`)];
    }),
  );
}

/** As its last parameter, or in that. */
function takesSignal(call: ts.Signature): boolean {
  const last = checker.getNonNullableType(checker.getTypeOfSymbol(call.parameters.at(-1)!));
  return last.symbol?.name === 'AbortSignal' || last.getProperty('signal') !== undefined;
}

function missingIn(typeName: string, wanted: string[]): string[] {
  const has = new Set(fieldsOfType(typeNamed(typeName)));
  return wanted.filter((field) => !has.has(field));
}

function fieldsOfSchema(schema: Schema, at = ''): string[] {
  const { properties = {}, items, anyOf = [], allOf = [] } = schema;
  const own = Object.entries(properties).flatMap(([name, member]) => [
    at + name,
    ...fieldsOfSchema(member, `${at}${name}.`),
  ]);
  const others = [...(items ? [items] : []), ...anyOf, ...allOf];
  return [...own, ...others.flatMap((other) => fieldsOfSchema(other, at))];
}

function fieldsOfType(type: ts.Type, at = '', depth = 0): string[] {
  if (depth > 8) return [];
  if (type.isUnion()) return type.types.flatMap((member) => fieldsOfType(member, at, depth + 1));
  if (!(type.flags & ts.TypeFlags.Object) && !type.isIntersection()) return [];
  const element = checker.isArrayType(type) && checker.getTypeArguments(type as ts.TypeReference)[0];
  if (element) return fieldsOfType(element, at, depth + 1);
  return type
    .getProperties()
    .flatMap((property) => [
      at + property.name,
      ...fieldsOfType(checker.getTypeOfSymbol(property), `${at}${property.name}.`, depth + 1),
    ]);
}

function typeNamed(name: string): ts.Type {
  const module = checker.getSymbolAtLocation(program.getSourceFile(file)!)!;
  const symbol = checker.getExportsOfModule(module).find((exported) => exported.name === name)!;
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return checker.getDeclaredTypeOfSymbol(target);
}
