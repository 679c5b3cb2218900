import { applyFilter, type Printable, textOf } from './filters.ts';
import type { ConditionStep, FilterUse, Operand, Operator, TextNode } from './parse-text.ts';
import { RenderError } from './template-error.ts';
import { valueAt } from './value-at.ts';

export type Params = Readonly<Record<string, unknown>>;

export interface RenderSettings {
  /** What is done to each value that is filled in, and not to the template's own text. */
  escape: (text: string) => string;
  charsMax: number;
}

/**
 * Makes a function of a text that fills it in. It reads parameters as plain values, own members only, and calls nothing
 * of them.
 */
export function compileText(
  nodes: readonly TextNode[],
  settings: RenderSettings,
): (params: Params) => string {
  const writes = nodes.map((node) => compileNode(node, settings));
  return (params) => {
    const out = { text: '' };
    for (const write of writes) write(params, out);
    return out.text;
  };
}

type Write = (params: Params, out: { text: string }) => void;

function compileNode(node: TextNode, settings: RenderSettings): Write {
  switch (node.kind) {
    case 'text':
      return (_, out) => append(out, node.text, settings);
    case 'output': {
      const value = compileOutput(node.value, node.filters);
      return (params, out) => append(out, settings.escape(textOf(value(params))), settings);
    }
    case 'choice':
      return compileChoice(node, settings);
  }
}

/** As it grows: a few parameters of 64 KiB, shown again and again, would fill memory. */
function append(out: { text: string }, text: string, { charsMax }: RenderSettings): void {
  out.text += text;
  if (out.text.length > charsMax) throw new RenderError(`it becomes longer than ${charsMax} characters`);
}

function compileOutput(
  operand: Operand,
  filters: readonly FilterUse[],
): (params: Params) => Printable | null {
  const lenient = filters[0]?.name === 'default';
  const steps = filters.map(({ name, args }) => ({ name, args: args.map(compileShown) }));
  const initial = lenient ? compileOptional(operand) : compileShown(operand);
  if (steps.length === 0) return initial;
  return (params) => {
    let value = initial(params);
    for (const { name, args } of steps)
      value = filtered(
        name,
        value,
        args.map((arg) => arg(params)),
      );
    return value;
  };
}

function filtered(name: string, value: Printable | null, args: (Printable | null)[]): Printable | null {
  try {
    return applyFilter(name, value, args);
  } catch {
    throw new RenderError(`filter "${name}" cannot take what it was given`);
  }
}

function compileShown(operand: Operand): (params: Params) => Printable | null {
  if (operand.kind === 'literal') return () => operand.value;
  const optional = compileOptional(operand);
  return (params) => {
    const value = optional(params);
    if (value === null) throw new RenderError(`there is no "${operand.path.join('.')}"`);
    return value;
  };
}

function compileOptional(operand: Operand): (params: Params) => Printable | null {
  if (operand.kind === 'literal') return () => operand.value;
  const { path } = operand;
  return (params) => {
    const value = valueAt(params, path);
    if (value === undefined || value === null) return null;
    if (typeof value === 'object') {
      throw new RenderError(`"${path.join('.')}" is neither a text nor a number, true or false`);
    }
    return value as Printable;
  };
}

function compileChoice(node: Extract<TextNode, { kind: 'choice' }>, settings: RenderSettings): Write {
  const branches = node.branches.map(({ condition, negated, nodes }) => ({
    condition: compileCondition(condition),
    negated,
    writes: nodes.map((inner) => compileNode(inner, settings)),
  }));
  const otherwise = node.otherwise.map((inner) => compileNode(inner, settings));
  return (params, out) => {
    const taken = branches.find(({ condition, negated }) => isTrue(condition(params)) !== negated);
    for (const write of taken?.writes ?? otherwise) write(params, out);
  };
}

type Evaluate = (params: Params) => unknown;

function compileCondition(steps: readonly ConditionStep[]): Evaluate {
  const stack: Evaluate[] = [];
  for (const step of steps) {
    if (step.kind === 'operator') {
      const right = stack.pop()!;
      if (step.operator === 'not') stack.push((params) => !isTrue(right(params)));
      else stack.push(compileOperator(step.operator, stack.pop()!, right));
    } else if (step.kind === 'literal') stack.push(() => step.value);
    else stack.push((params) => valueAt(params, step.path) ?? null);
  }
  return stack[0]!;
}

function compileOperator(operator: Operator, left: Evaluate, right: Evaluate): Evaluate {
  switch (operator) {
    case 'and':
      return (params) => isTrue(left(params)) && isTrue(right(params));
    case 'or':
      return (params) => isTrue(left(params)) || isTrue(right(params));
    case '==':
      return (params) => left(params) === right(params);
    case '!=':
      return (params) => left(params) !== right(params);
    case 'contains':
      return (params) => contains(left(params), right(params));
    case '>':
      return (params) => compared(left(params), right(params), (a, b) => a > b);
    case '<':
      return (params) => compared(left(params), right(params), (a, b) => a < b);
    case '>=':
      return (params) => compared(left(params), right(params), (a, b) => a >= b);
    case '<=':
      return (params) => compared(left(params), right(params), (a, b) => a <= b);
    default:
      throw new Error(`operator ${operator} takes one value`);
  }
}

/** As Liquid has it: an empty text is true. */
function isTrue(value: unknown): boolean {
  return value !== false && value !== null && value !== undefined;
}

function contains(whole: unknown, part: unknown): boolean {
  if (part === null || part === undefined) return false;
  if (typeof whole === 'string') return typeof part === 'string' && whole.includes(part);
  return Array.isArray(whole) && whole.includes(part);
}

/** Numbers also where a CSV file gave them as texts; two texts by their letters. */
function compared(left: unknown, right: unknown, test: (a: string | number, b: string | number) => boolean) {
  if (typeof left === 'string' && typeof right === 'string') return test(left, right);
  const [a, b] = [numberOf(left), numberOf(right)];
  return a !== undefined && b !== undefined && test(a, b);
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}
