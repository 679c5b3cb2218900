/** A value that can be written: what parameters may be where a template shows them. */
export type Printable = string | number | boolean;

interface Filter {
  /** Arguments at least and at most. */
  args: readonly [number, number];
  /** Why the argument at this place, from 0, can never be taken, whatever the value is. */
  argProblem?: (arg: Printable | null, place: number) => string | undefined;
  apply: (value: Printable | null, args: readonly (Printable | null)[]) => Printable | null;
}

/** Everything that templates may do to a value. None of them knows the time or draws lots: a message reads as it was sent. */
const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['default', { args: [1, 1], apply: (value, [other]) => (isBlank(value) ? (other ?? null) : value) }],
  ['upcase', onText((text) => text.toUpperCase())],
  ['downcase', onText((text) => text.toLowerCase())],
  ['capitalize', onText(capitalized)],
  ['strip', onText((text) => text.trim())],
  ['url_encode', onText((text) => encodeURIComponent(text))],
  [
    'truncate',
    {
      args: [1, 2],
      argProblem: (arg, place) => (place === 0 ? charsProblem(arg) : undefined),
      apply: (value, args) => truncated(textOf(value), args),
    },
  ],
]);

/** Why a filter cannot be used with so many arguments. */
export function filterProblem(name: string, args: number): string | undefined {
  const filter = filters.get(name);
  if (!filter) return `there is no filter "${name}"; there are ${[...filters.keys()].join(', ')}`;
  const [least, most] = filter.args;
  if (args >= least && args <= most) return undefined;
  const wanted = least === most ? `${least}` : `${least} to ${most}`;
  return `filter "${name}" takes ${wanted} argument${most === 1 ? '' : 's'}, not ${args}`;
}

/** Why a filter can never take what a template says in so many words at one place, from 0, of its arguments. */
export function argumentProblem(name: string, arg: Printable | null, place: number): string | undefined {
  return filters.get(name)?.argProblem?.(arg, place);
}

/** @throws RangeError or URIError for a value that the filter cannot take */
export function applyFilter(
  name: string,
  value: Printable | null,
  args: readonly (Printable | null)[],
): Printable | null {
  return filters.get(name)!.apply(value, args);
}

export function textOf(value: Printable | null): string {
  return value === null ? '' : String(value);
}

/** What `default` stands in for. */
function isBlank(value: Printable | null): boolean {
  return value === null || value === '' || value === false;
}

function onText(change: (text: string) => string): Filter {
  return { args: [0, 0], apply: (value) => change(textOf(value)) };
}

function capitalized(text: string): string {
  if (text === '') return '';
  const first = String.fromCodePoint(text.codePointAt(0)!);
  return first.toUpperCase() + text.slice(first.length);
}

const ellipsis = '...';

function charsProblem(length: Printable | null | undefined): string | undefined {
  const charsMax = Number(length);
  if (Number.isInteger(charsMax) && charsMax >= 0) return undefined;
  return 'filter "truncate" takes a whole number of characters, 0 or more';
}

/** To so many characters, the ending included; characters are Unicode code points. */
function truncated(text: string, [length, ending = ellipsis]: readonly (Printable | null)[]): string {
  const problem = charsProblem(length);
  if (problem !== undefined) throw new RangeError(problem);
  const charsMax = Number(length);
  if (lengthOf(text, charsMax) === text.length) return text;
  const end = textOf(ending);
  return text.slice(0, lengthOf(text, charsMax - charsIn(end))) + end;
}

/** How much of a text its first characters are, or all of it. */
function lengthOf(text: string, chars: number): number {
  let at = 0;
  for (let left = chars; left > 0 && at < text.length; left--) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

function charsIn(text: string): number {
  let chars = 0;
  for (const _ of text) chars++;
  return chars;
}
