import type { Operation } from './openapi-document.ts';
import { objectOf, type Schema, valuesOf } from './schema-fields.ts';

/** A call that works when the two variables are set and what it names exists. */
export function curlExample(at: { method: string; path: string; operation: Operation }): string {
  const { method, path, operation } = at;
  const { parameters = [], requestBody, security = [] } = operation;
  const query = parameters.filter(
    ({ in: place, name, required }) => place === 'query' && (required || name === 'to'),
  );
  const url = path.replace(/\{(\w+)\}/g, (_, name: string) => (name === 'name' ? 'sms' : name.toUpperCase()));
  const isRead = method === 'get';
  const parts = [
    `curl${isRead ? (query.length > 0 ? ' -G' : '') : ` -X ${method.toUpperCase()}`} "$MILLRACE_URL${url}"`,
    ...(security.length > 0 ? ['-H "Authorization: Bearer $MILLRACE_KEY"'] : []),
    ...query.map(({ name, schema }) => `--data-urlencode '${name}=${sampleOf(name, schema ?? {})}'`),
    ...bodyOf(requestBody?.content ?? {}),
  ];
  return parts.join(' \\\n  ');
}

function bodyOf(content: Record<string, { schema?: Schema }>): string[] {
  const json = content['application/json']?.schema;
  if (json && Object.keys(objectOf(json).properties).length > 0) {
    const text = JSON.stringify(sampleObject(json)).replaceAll("'", "'\\''");
    return [`-H 'Content-Type: application/json'`, `-d '${text}'`];
  }
  const [mediaType] = Object.keys(content);
  if (mediaType === undefined || mediaType === 'application/json') return [];
  const ending = mediaType === 'text/csv' ? 'csv' : 'ndjson';
  return [`-H 'Content-Type: ${mediaType}'`, `--data-binary @messages.${ending}`];
}

/** What must be there, and what nobody would leave out. */
const usual = ['body', 'url', 'route'];

function sampleObject(schema: Schema): Record<string, unknown> {
  const { properties, required } = objectOf(schema);
  const names = Object.keys(properties).filter((name) => required.includes(name) || usual.includes(name));
  return Object.fromEntries(names.map((name) => [name, sampleOf(name, properties[name]!)]));
}

const samples: Record<string, unknown> = {
  to: '+31612345678',
  body: 'Your code is 123456',
  route: 'sms',
  connector: 'http',
  url: 'https://provider.example/send',
  name: 'Acme',
  scopes: ['send', 'read'],
};

function sampleOf(name: string, schema: Schema): unknown {
  if (name in samples) return samples[name];
  const values = valuesOf(schema);
  if (values) return values[0];
  if (schema.type === 'array') return [sampleOf(name, schema.items ?? {})];
  if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 1;
  if (schema.type === 'boolean') return true;
  return schema.type === 'object' ? sampleObject(schema) : '…';
}
