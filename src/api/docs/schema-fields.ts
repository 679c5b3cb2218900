/** A JSON Schema, as far as the documents of this API use it. */
export interface Schema {
  type?: string;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  description?: string;
  default?: unknown;
  examples?: unknown[];
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
}

/** A field of a body or an answer; those within others have the path to them as their name. */
export interface Field {
  name: string;
  type: string;
  limits: string[];
  isRequired: boolean;
  description: string | undefined;
}

/** Deeper ones are described with the field that holds them. */
const depthMax = 4;

/** The fields of an object, or of the items of an array, each followed by its own. */
export function fieldsOf(schema: Schema, before = '', depth = 0): Field[] {
  const { properties, required } = objectOf(schema);
  if (depth === depthMax) return [];
  return Object.entries(properties).flatMap(([name, field]) => [
    {
      name: before + name,
      type: typeOf(field),
      limits: limitsOf(field),
      isRequired: required.includes(name),
      description: field.description,
    },
    ...fieldsOf(field, `${before}${name}${isList(field) ? '[]' : ''}.`, depth + 1),
  ]);
}

/** The object that a schema is, is made of, offers among others, or lists. */
export function objectOf(schema: Schema): { properties: Record<string, Schema>; required: string[] } {
  if (schema.allOf) {
    const parts = schema.allOf.map(objectOf);
    return {
      properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
      required: parts.flatMap(({ required }) => required),
    };
  }
  const choices = choicesOf(schema);
  if (choices) {
    const parts = choices.map(objectOf);
    return parts.find(({ properties }) => Object.keys(properties).length > 0) ?? parts[0]!;
  }
  if (schema.items) return objectOf(schema.items);
  return { properties: schema.properties ?? {}, required: schema.required ?? [] };
}

/** In words and values: `string`, `"now" or "close"`, `array of object`. */
export function typeOf(schema: Schema): string {
  const values = valuesOf(schema);
  if (values) return orList(values.map((value) => JSON.stringify(value)));
  const choices = choicesOf(schema);
  if (choices) return orList([...new Set(choices.map(typeOf))]);
  if (schema.allOf) return 'object';
  if (schema.type === 'array') return schema.items ? `array of ${typeOf(schema.items)}` : 'array';
  if (schema.type === 'string' && schema.format === 'date-time') return 'time (RFC 3339)';
  if (schema.type === 'string' && schema.format === 'uri') return 'URL';
  return schema.type ?? 'any JSON';
}

export function limitsOf(schema: Schema): string[] {
  const limits: string[] = [];
  const { minLength, maxLength, minItems, maxItems, maxProperties, exclusiveMinimum } = schema;
  if (maxLength !== undefined) limits.push(`${span(minLength || undefined, maxLength)} characters`);
  const least = schema.minimum ?? exclusiveMinimum;
  if (exclusiveMinimum !== undefined) limits.push(`above ${number(exclusiveMinimum)}`);
  if (schema.maximum !== undefined) {
    limits.push(
      exclusiveMinimum === undefined ? span(least, schema.maximum) : span(undefined, schema.maximum),
    );
  } else if (schema.minimum !== undefined) limits.push(`${number(schema.minimum)} or more`);
  if (maxItems !== undefined) limits.push(`${span(minItems, maxItems)} items`);
  else if (minItems !== undefined) limits.push(`${number(minItems)} or more items`);
  if (maxProperties !== undefined) limits.push(`up to ${number(maxProperties)} members`);
  if (schema.default !== undefined) limits.push(`default ${valueText(schema.default)}`);
  return limits;
}

/** The values that it may have, where those are all that it may have. */
export function valuesOf(schema: Schema): unknown[] | undefined {
  if (schema.const !== undefined) return [schema.const];
  if (schema.enum) return schema.enum;
  const choices = choicesOf(schema)?.map(valuesOf);
  if (!choices || choices.some((values) => values === undefined)) return undefined;
  return choices.flatMap((values) => values!);
}

function choicesOf({ anyOf, oneOf }: Schema): Schema[] | undefined {
  return anyOf ?? oneOf;
}

function isList(schema: Schema): boolean {
  return schema.type === 'array';
}

function span(min: number | undefined, max: number): string {
  return min === undefined ? `up to ${number(max)}` : `${number(min)} to ${number(max)}`;
}

function valueText(value: unknown): string {
  return typeof value === 'number' ? number(value) : JSON.stringify(value);
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function orList(texts: string[]): string {
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`;
}
