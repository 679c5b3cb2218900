import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Allowance, amountOf, fitting, priceMicros, refusing } from './allowance.ts';

const most = fc.option(fc.nat(60), { nil: undefined });
const allowances = fc.record({
  limits: fc.record({ messagesPerDay: most, partsPerDay: most }, { requiredKeys: [] }),
  prepaid: fc.option(
    fc.record({ currency: fc.constant('EUR'), messageMicros: fc.nat(9), partMicros: fc.nat(9) }),
  ),
  used: fc.record({ messages: fc.nat(60), parts: fc.nat(60) }),
  balanceMicros: fc.integer({ min: -20, max: 200 }),
}) as fc.Arbitrary<Allowance>;

test('what fits is within every limit and paid for, and one message more is not', () => {
  fc.assert(
    fc.property(
      allowances,
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
      (allowance, parts) => {
        const { count, refusedBy } = fitting(allowance, parts);
        if (count > 0) expect(refusing(allowance, amountOf(parts, count))).toBeUndefined();
        if (count < parts.length) expect(refusing(allowance, amountOf(parts, count + 1))).toBe(refusedBy);
        expect(refusedBy === undefined).toBe(count === parts.length);
      },
    ),
  );
});

test('what fits after some of it was charged is what is left of it', () => {
  fc.assert(
    fc.property(
      allowances,
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }),
      fc.nat(40),
      (allowance, parts, cut) => {
        const { count } = fitting(allowance, parts);
        const first = Math.min(cut, count);
        const { messages, parts: charged } = amountOf(parts, first);
        const after = {
          ...allowance,
          used: { messages: allowance.used.messages + messages, parts: allowance.used.parts + charged },
          balanceMicros:
            allowance.balanceMicros - priceMicros(allowance.prepaid, { messages, parts: charged }),
        };
        expect(fitting(after, parts.slice(first)).count).toBe(count - first);
      },
    ),
  );
});
