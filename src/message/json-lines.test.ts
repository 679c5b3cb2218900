import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bitmapOf } from './bitmap.ts';
import { foldOutcomes } from './fold-outcomes.ts';
import { jsonLines } from './json-lines.ts';
import { viewMessage } from './message-view.ts';
import type { StateNumber } from './state.ts';
import { TemplateCache } from './templates/template-cache.ts';

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('"', '\\', '\n', '\ud800', '😀', '\u2028'),
);
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const time = fc.oneof(text, fc.constantFrom('2030-01-31T09:30:00Z', '2030-01-31t09:30:00.25+05:30'));
const defaultable = {
  from: optional(text),
  body: optional(text),
  subject: optional(text),
  html: optional(text),
  payload: optional(fc.jsonValue()),
  headers: optional(fc.dictionary(text, text)),
  tags: optional(fc.array(text)),
  metadata: optional(fc.dictionary(text, fc.jsonValue())),
  scheduledAt: optional(time),
  expiresAt: optional(time),
};
const params = optional(fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), fc.jsonValue()));
const template = optional(fc.constantFrom('one', 'two', 'gone', 'constructor'));
const source = { name: 't', channel: 'email', version: 3 } as const;
const byId = new TemplateCache({
  load: async () => [],
  onError: (error) => {
    throw error;
  },
}).take([
  { ...source, id: 1, subject: '{{ a }}', body: 'Hi {{ a | default: "you" }}', html: '<b>{{ b }}</b>' },
  { ...source, id: 2, body: '{% if a %}{{ a }}{% endif %}' },
]);
const templates = { pins: { one: 1, two: 2, gone: 9 }, byId };
const erased = optional(fc.constant(true));
const message = fc.record({ to: text, ref: optional(text), erased, template, params, ...defaultable });
const batch = fc.record({
  ...{ template, params, ...defaultable },
  templatePin: optional(fc.constantFrom(1, 2, 9)),
});
const outcome = fc.record({
  at: fc.integer({ min: 0, max: 4e12 }).map((ms) => new Date(ms)),
  dueAt: fc.constant(null),
  state: fc.integer({ min: 1, max: 9 }).map((state) => state as StateNumber),
  attempt: fc.nat({ max: 30_000 }),
  offsets: fc.option(fc.uniqueArray(fc.nat({ max: 4 })).map((offsets) => bitmapOf(5, offsets))),
  errorCode: fc.option(text),
  details: fc.option(fc.array(fc.option(text))),
  providerRefs: fc.option(fc.array(fc.option(text))),
});

test('a line is to the byte what JSON.stringify makes of the message', () => {
  fc.assert(
    fc.property(
      fc.array(message, { minLength: 1, maxLength: 5 }),
      batch,
      fc.array(outcome, { maxLength: 4 }),
      text,
      fc.boolean(),
      (messages, defaults, outcomes, route, isTest) => {
        const lines = messages.map((each) => JSON.stringify(each));
        const id = '0199aaaa-bbbb-7c07-8000-000000000000';
        // As they come from the database: without members that are undefined.
        const stored = JSON.parse(JSON.stringify(defaults));
        const folded = foldOutcomes(lines.length, outcomes);
        const chunk = { id, batch: null, route, defaults: stored, folded, templates, test: isTest };
        const line = jsonLines(chunk, lines);
        lines.forEach((each, offset) => {
          expect(line(offset)).toBe(`${JSON.stringify(viewMessage(chunk, offset, each))}\n`);
        });
      },
    ),
  );
});
