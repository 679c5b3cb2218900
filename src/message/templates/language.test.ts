import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkTexts, compileTemplate } from './compile-template.ts';
import { paramsProblem } from './params-problem.ts';
import { RenderError } from './template-error.ts';
import { templateLimits } from './template-limits.ts';

const body = (text: string, params: Record<string, unknown> = {}) =>
  compileTemplate({ body: text }).render(params).body;
const needs = (text: string) => compileTemplate({ body: text }).needs;

describe('what a template says', () => {
  test.each([
    ['Hi {{ name }}!', { name: 'Ann' }, 'Hi Ann!'],
    ['{{ user.name }} {{ n }} {{ yes }}', { user: { name: 'Bo' }, n: 1.5, yes: true }, 'Bo 1.5 true'],
    ['{{ name | default: "you" }}', {}, 'you'],
    ['{{ name | default: "you" }}', { name: '' }, 'you'],
    ['{{ name | default: "you" | upcase }}', {}, 'YOU'],
    ['{{ name | upcase }} {{ name | downcase }} {{ name | capitalize }}', { name: 'éva' }, 'ÉVA éva Éva'],
    [
      '{{ text | strip | truncate: 5 }}|{{ text | truncate: 3, "" }}',
      { text: ' 😀😀😀😀😀😀 ' },
      '😀😀...| 😀😀',
    ],
    ['https://a.example/?q={{ q | url_encode }}', { q: 'a b&c' }, 'https://a.example/?q=a%20b%26c'],
    ['{% if vip %}A{% elsif n > 3 %}B{% else %}C{% endif %}', { n: 4 }, 'B'],
    ['{% if n >= 10 %}many{% else %}few{% endif %}', { n: '9' }, 'few'],
    ['{% unless paid %}Pay{% else %}Thanks{% endunless %}', { paid: true }, 'Thanks'],
    ['{% if plan == "gold" and not late %}A{% endif %}', { plan: 'gold' }, 'A'],
    ['{% if a or b %}A{% endif %}{% if text contains "x" %}B{% endif %}', { b: 1, text: 'axb' }, 'AB'],
    ['a {%- if true -%} b {%- endif -%} c', {}, 'abc'],
    ['{{ "{{ name }}" }}', { name: 'no' }, '{{ name }}'],
  ])('%s', (text, params, expected) => {
    expect(body(text, params)).toBe(expected);
  });

  test('in HTML values are escaped, and nowhere else', () => {
    const name = `<b>"A" & 'B'</b>`;
    const texts = {
      subject: 'Hi {{ name }}',
      body: '{{ name }}',
      html: '<p title="{{ name }}">{{ name }}</p>',
    };
    const escaped = '&lt;b&gt;&quot;A&quot; &amp; &#39;B&#39;&lt;/b&gt;';
    expect(compileTemplate(texts).render({ name })).toEqual({
      subject: `Hi ${name}`,
      body: name,
      html: `<p title="${escaped}">${escaped}</p>`,
    });
  });

  test('no value breaks the line of a subject', () => {
    const { render } = compileTemplate({ subject: '{{ a }}' });
    expect(render({ a: 'one\r\nBcc: two\u2028three\n' }).subject).toBe('one Bcc: two three');
  });

  test('what would become too long is not rendered', () => {
    const { render } = compileTemplate({ body: '{{ a }}{{ a }}' });
    expect(render({ a: 'x'.repeat(templateLimits.textCharsMax / 2) }).body).toHaveLength(
      templateLimits.textCharsMax,
    );
    expect(() => render({ a: 'x'.repeat(templateLimits.textCharsMax / 2 + 1) })).toThrow(RenderError);
  });
});

describe('rendering does so much and no more', () => {
  const { outputFiltersMax, filtersMax, textCharsMax, workCharsMax } = templateLimits;
  const chain = (filter: string, count: number) => `{{ a${` | ${filter}`.repeat(count)} | truncate: 1, "" }}`;
  const half = 'x'.repeat(textCharsMax / 2);

  test('filters in a row, and those of a template, are bounded when it is saved', () => {
    const most = chain('upcase', outputFiltersMax - 1);
    expect(checkTexts({ body: most })).toMatchObject({ problems: [], filters: outputFiltersMax });
    expect(
      checkTexts({ body: `a\n {% if a %}${chain('upcase', outputFiltersMax)}{% endif %}` }).problems,
    ).toEqual([
      {
        ...{ text: 'body', line: 2, column: 15 },
        detail: `a value has ${outputFiltersMax + 1} filters; the limit is ${outputFiltersMax}`,
      },
    ]);
    const text = `{% if a %}${'{{ a | upcase }}'.repeat(filtersMax)}{% else %}{{ a | strip }}{% endif %}`;
    expect(checkTexts({ body: text, html: most }).filters).toBe(filtersMax + 1 + outputFiltersMax);
  });

  test('a stored version with more filters is read as before', () => {
    expect(body(chain('capitalize', 600), { a: 'abc' })).toBe('A');
  });

  test.each([
    ['filters in a row', chain('capitalize', 600), { a: half }],
    ['filters of many values that leave nothing', '{{ a | truncate: 0, "" }}'.repeat(2_000), { a: half }],
    [
      'the endings of cut texts',
      '{{ b | truncate: 1, a | truncate: 1 }}'.repeat(1_000),
      { a: half, b: 'xy' },
    ],
    ['conditions on long texts', '{% if a < b %}x{% endif %}'.repeat(2_000), { a: half, b: half }],
    [
      'texts that are hard to find in others',
      '{% if a contains b %}x{% endif %}',
      { a: half, b: `b${'x'.repeat(9_000)}` },
    ],
    ['lists', '{% if a contains 1 %}x{% endif %}'.repeat(1_000), { a: new Array(1_000).fill(0) }],
  ])('%s cost no more than a message may', (_, text, params) => {
    expect(() => body(text, params)).toThrow(`more than ${workCharsMax} characters`);
  });

  test('all texts of a template share what one message may cost', () => {
    const text = '{{ a | truncate: 1 }}'.repeat(workCharsMax / half.length / 2);
    const { render } = compileTemplate({ body: text, html: text });
    expect(() => render({ a: half })).toThrow(/^html: more than/);
    expect(compileTemplate({ body: text }).render({ a: half }).body).toBe('...'.repeat(8));
  });

  test('no value becomes longer between filters than a text may be', () => {
    const text = '{{ a | url_encode | truncate: 1, "" }}';
    expect(body(text, { a: 'é'.repeat(10_000) })).toBe('%');
    expect(() => body(text, { a: 'é'.repeat(11_000) })).toThrow(
      `filter "url_encode" makes a value longer than ${textCharsMax} characters`,
    );
  });

  test('a parameter as large as a message may bring is shown in body and HTML, and changed on the way', () => {
    const text = '{{ a | strip | capitalize }}';
    const a = 'x'.repeat(textCharsMax - 100);
    const rendered = compileTemplate({ body: text, html: text }).render({ a });
    expect(rendered.html).toBe(`X${a.slice(1)}`);
  });

  test('characters are cut and made capital as Unicode has them', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.nat(8),
        fc.string({ unit: 'binary' }),
        (a, length, end) => {
          const [first = '', ...rest] = a;
          expect(body('{{ a | capitalize }}', { a })).toBe(first.toUpperCase() + rest.join(''));
          const chars = [...a];
          const cut = [...chars.slice(0, Math.max(0, length - [...end].length)), ...end].join('');
          const params = { a, length, end };
          expect(body('{{ a | truncate: length, end }}', params)).toBe(chars.length <= length ? a : cut);
        },
      ),
    );
  });
});

describe('a condition of many operators', () => {
  const nots = (count: number, text: string) => `{% if ${'not '.repeat(count)}a %}${text}{% endif %}`;

  test('is refused when it is saved, with its place', () => {
    const { operatorsMax } = templateLimits;
    expect(checkTexts({ body: nots(operatorsMax, 'x') }).problems).toEqual([]);
    for (const count of [operatorsMax + 1, 15_000]) {
      expect(checkTexts({ body: nots(count, 'x') }).problems).toEqual([
        {
          ...{ text: 'body', line: 1, column: 7 + 4 * count },
          detail: `a condition has ${count} operators; the limit is ${operatorsMax}`,
        },
      ]);
    }
  });

  test('means in a stored version what it says, however many they are', () => {
    expect(body(nots(15_000, 'x'), { a: 'yes' })).toBe('x');
    expect(body(nots(15_001, 'x'), { a: 'yes' })).toBe('');
    const either = Array.from({ length: 70 }, (_, n) => `n > ${n + 1}`).join(' or ');
    const text = `{% if ${either} and b contains "c" %}x{% else %}y{% endif %}`;
    expect([body(text, { n: 3, b: 'abc' }), body(text, { n: 1, b: 'abc' })]).toEqual(['x', 'y']);
  });
});

test('whatever goes wrong in rendering fails the one message, and quotes nothing of it', () => {
  const params = new Proxy<Record<string, unknown>>(
    {},
    {
      getOwnPropertyDescriptor() {
        throw new RangeError('secret');
      },
    },
  );
  const { render } = compileTemplate({ body: '{{ a }}' });
  expect(() => render(params)).toThrow(new RenderError('body: it cannot be rendered'));
});

describe('a bad template is refused', () => {
  test.each([
    ['Hi {{ name', 1, 4],
    ['a\n {% if a %}x', 2, 2],
    ['a\nb {{ a | nope }}', 2, 10],
    ['{% for a in b %}{% endfor %}', 1, 1],
    ['{% assign a = 1 %}', 1, 1],
    ['{% include "/etc/passwd" %}', 1, 1],
    ['{% raw %}{{ a }}{% endraw %}', 1, 1],
    ['{{ a b }}', 1, 1],
    ['{{ a, b }}', 1, 4],
    ['{{ a | upcase | }}', 1, 8],
    ['{{ a | default: x: 1 }}', 1, 8],
    ['{{ a | default }}', 1, 8],
    ['{{ a[b] }}', 1, 4],
    ['{{ a[0] }}', 1, 4],
    ['{{ (1..9) }}', 1, 4],
    ['{{ empty }}', 1, 4],
    ['{{ }}', 1, 4],
    ['{% if a and %}x{% endif %}', 1, 9],
    ['{% if a b %}x{% endif %}', 1, 7],
    ['{% if a | upcase %}x{% endif %}', 1, 1],
    ['{% if a = b %}x{% endif %}', 1, 10],
    ['{% endif %}', 1, 1],
    ['{{ a | truncate: 1.5 }}', 1, 18],
    ['a\n{{- a | upcase | truncate: -1, "…" -}}', 2, 28],
    ['{{ a | truncate: "short" }}', 1, 18],
    ['{% if a %}x{% elsif b %}{{ b }}{% else %}\n{{ c | truncate: 0.5 }}{% endif %}', 2, 18],
    ['{{ a | truncate: 1e9 }}', 1, 18],
    ['{% if n > 1e3 %}x{% endif %}', 1, 11],
    ['a\n{% if a %}{% elsif -1.5e3 < n %}x{% endif %}', 2, 20],
    ['{% unless a %}{% else %}{{ 2nd.name }}{% endunless %}', 1, 28],
    ['{{ a | default: .5 }}', 1, 17],
  ])('%s', (text, line, column) => {
    const { problems, needs: found } = checkTexts({ body: text });
    expect(problems).toEqual([{ text: 'body', line, column, detail: expect.any(String) }]);
    expect(found).toBeUndefined();
  });

  test('also one whose subject has a line break, or whose conditions are nested too deep', () => {
    expect(checkTexts({ subject: 'a\nb' }).problems).toMatchObject([{ text: 'subject', line: 1, column: 2 }]);
    for (const depth of [templateLimits.nestingMax + 1, 3_000]) {
      const text = '{% if a %}'.repeat(depth) + '{% endif %}'.repeat(depth);
      expect(checkTexts({ html: text }).problems).toMatchObject([
        { text: 'html', detail: expect.stringMatching(/deep/) },
      ]);
    }
  });
});

test('an argument that a filter can take is kept, also where it is a variable', () => {
  for (const length of ['0', '"5"', '1.0', 'nil', 'length', 'length, ending']) {
    expect(checkTexts({ body: `{{ a | truncate: ${length} }}` }).problems).toEqual([]);
  }
});

test('numbers are digits, with a sign and a point where they have them, and names may hold digits behind the first letter', () => {
  const text =
    '{% if n > 1000 or n == -1.50 or n < +7 %}{{ a1e3 }}{{ user.2nd }}{{ _1 }}{{ a-1 }}{% endif %}';
  expect(checkTexts({ body: text }).problems).toEqual([]);
});

test('a version that an earlier release has stored is compiled, though it would not be saved any more', () => {
  const { render } = compileTemplate({ body: '{% if a %}{{ a | truncate: 1.5 }}{% else %}b{% endif %}' });
  expect(render({}).body).toBe('b');
  expect(() => render({ a: 'a' })).toThrow(RenderError);
  expect(body('{% if n > 1e3 %}{{ 2nd }}{% endif %}', { n: 5, '1e3': 4, '2nd': 'two' })).toBe('two');
});

describe('what a message must bring', () => {
  test.each([
    ['{{ a }}{{ b.c }}', ['a', 'b.c'], []],
    ['{{ a | default: b }}', ['b'], ['a']],
    ['{{ a | upcase | default: "x" }}', ['a'], []],
    ['{% if a %}{{ a }}{% endif %}', [], ['a']],
    ['{% if a %}{{ a }}{% endif %}{{ a }}', ['a'], []],
    ['{% if a %}{{ b }}{% endif %}', ['b'], []],
    ['{% if a %}x{% else %}{{ a }}{% endif %}', ['a'], []],
    ['{% unless a %}x{% else %}{{ a }}{% endunless %}', [], ['a']],
    ['{% if a and b > 1 %}{{ a }}{{ b }}{% endif %}', [], ['a', 'b']],
    ['{% if a or b %}{{ a }}{% endif %}', ['a'], []],
    ['{% if a != 1 %}{{ a }}{% endif %}', ['a'], []],
    ['{% if a == b %}{{ a }}{% endif %}', ['a'], []],
    ['{% if a == nil %}{{ a }}{% endif %}', ['a'], []],
    ['{% if a == 1 %}{% if b %}{{ a }}{{ b }}{% endif %}{% endif %}', [], ['a', 'b']],
    ['{% if a.b %}{{ a.b }}{% endif %}{% if a %}{{ a.c }}{% endif %}', ['a.c'], ['a.b']],
    ['{% if a %}x{% elsif b %}{{ a }}{{ b }}{% endif %}', ['a'], ['b']],
  ])('%s', (text, required, optional) => {
    expect(needs(text)).toMatchObject({ required, optional });
  });

  test('names of prototypes are variables like others, and find nothing that a message does not bring', () => {
    const text = '{{ __proto__.polluted }}{{ constructor.name }}{{ toString }}{{ a.__proto__.b }}';
    const { required } = needs(text);
    expect(required).toEqual(['__proto__.polluted', 'a.__proto__.b', 'constructor.name', 'toString']);
    expect(paramsProblem({ required, optional: [] }, { own: {}, defaults: undefined })?.names).toEqual(
      required,
    );
    const own = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":{"name":2},"toString":3,"a":{"__proto__":{"b":4}}}',
    ) as Record<string, unknown>;
    expect(paramsProblem({ required, optional: [] }, { own, defaults: {} })).toBeUndefined();
    expect(body(text, own)).toBe('1234');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

const names = [
  'a',
  'b',
  'a.b',
  '__proto__',
  'constructor',
  'toString.x',
  'hasOwnProperty',
  'length',
  'b.length',
];
const variable = fc.constantFrom(...names);
const literal = fc.constantFrom('"x"', '3', 'true', 'nil', '""');
const operand = fc.oneof(variable, literal);
const output = fc
  .tuple(
    operand,
    fc.array(
      fc.oneof(
        fc.constantFrom('upcase', 'strip'),
        operand.map((text) => `default: ${text}`),
      ),
    ),
  )
  .map(([value, filters]) => `{{ ${[value, ...filters].join(' | ')} }}`);
const comparison = fc.oneof(
  variable,
  fc
    .tuple(operand, fc.constantFrom('==', '!=', '>', '<=', 'contains'), operand)
    .map((parts) => parts.join(' ')),
);
const condition = fc
  .tuple(comparison, fc.array(fc.tuple(fc.constantFrom('and', 'or'), comparison), { maxLength: 2 }))
  .map(([first, more]) => [first, ...more.flat()].join(' '));
const { text: templateText } = fc.letrec<{ text: string }>((tie) => ({
  text: fc
    .array(
      fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        output,
        fc
          .tuple(condition, tie('text'), tie('text'))
          .map(([when, one, two]) => `{% if ${when} %}${one}{% else %}${two}{% endif %}`),
        fc
          .tuple(condition, tie('text'), tie('text'))
          .map(([when, one, two]) => `{% unless ${when} %}${one}{% else %}${two}{% endunless %}`),
      ),
      { maxLength: 3 },
    )
    .map((parts) => parts.join('')),
}));
const paramsText = fc
  .dictionary(
    fc.constantFrom('a', 'b', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', 'x'),
    fc.jsonValue({ maxDepth: 2 }),
  )
  .map((params) => JSON.stringify(params));

test('a message that brings what is required can be rendered, whatever else it brings', () => {
  fc.assert(
    fc.property(templateText, paramsText, paramsText, (text, ownText, defaultsText) => {
      const own = JSON.parse(ownText) as Record<string, unknown>;
      const defaults = JSON.parse(defaultsText) as Record<string, unknown>;
      const template = compileTemplate({ body: text, html: text });
      if (paramsProblem(template.needs, { own, defaults })) return;
      const rendered = template.render({ ...defaults, ...own });
      expect(rendered.body).not.toMatch(/native code|\[object/);
      expect(rendered.html).not.toMatch(/[<>"']/);
    }),
    { numRuns: 500 },
  );
});

test('whatever is sent in as a template is compiled or refused', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('{{', '}}', '{%', '%}', 'if', 'else', 'endif', '|', ' a ', '"', '-', '(', '[', '.'),
  );
  fc.assert(
    fc.property(
      fc.array(piece).map((pieces) => pieces.join('')),
      (text) => {
        const { problems } = checkTexts({ body: text });
        if (problems.length === 0) compileTemplate({ body: text });
      },
    ),
    { numRuns: 1_000 },
  );
});
