import type { ConditionStep, FilterUse, Operand, TextNode } from './parse-text.ts';

/** The variables of a template, as names joined by dots, in the order of their letters. */
export interface TemplateNeeds {
  /** What a message must bring: shown without a default, and not only where a condition has found it there. */
  required: string[];
  /** The others that are shown. */
  optional: string[];
  /** The others that only conditions ask for: they may be anything. */
  asked: string[];
}

/** Finds what messages must bring for these texts. Whatever it does not require, rendering does without. */
export function findNeeds(texts: readonly (readonly TextNode[])[]): TemplateNeeds {
  const found = { required: new Set<string>(), shown: new Set<string>(), asked: new Set<string>() };
  for (const nodes of texts) collect(nodes, none, found);
  const { required, shown, asked } = found;
  return {
    required: [...required].sort(),
    optional: [...shown].filter((path) => !required.has(path)).sort(),
    asked: [...asked].filter((path) => !shown.has(path)).sort(),
  };
}

interface Found {
  required: Set<string>;
  shown: Set<string>;
  asked: Set<string>;
}

const none: ReadonlySet<string> = new Set();

/** `present`: what is certainly there where these nodes are shown. */
function collect(nodes: readonly TextNode[], present: ReadonlySet<string>, found: Found): void {
  for (const node of nodes) {
    if (node.kind === 'output') collectOutput(node, present, found);
    if (node.kind === 'choice') collectChoice(node, present, found);
  }
}

function collectOutput(
  { value, filters }: { value: Operand; filters: readonly FilterUse[] },
  present: ReadonlySet<string>,
  found: Found,
): void {
  const show = (operand: Operand, hasDefault: boolean) => {
    const path = pathOf(operand);
    if (path === undefined) return;
    found.shown.add(path);
    if (!hasDefault && !present.has(path)) found.required.add(path);
  };
  show(value, filters[0]?.name === 'default');
  for (const { args } of filters) for (const arg of args) show(arg, false);
}

function collectChoice(
  { branches, otherwise }: Extract<TextNode, { kind: 'choice' }>,
  present: ReadonlySet<string>,
  found: Found,
): void {
  let here = present;
  for (const { condition, negated, nodes } of branches) {
    for (const step of condition) {
      const path = pathOf(step);
      if (path !== undefined) found.asked.add(path);
    }
    const holds = new Set([...here, ...presentIf(condition)]);
    collect(nodes, negated ? here : holds, found);
    // Behind an `unless` that was not taken its condition holds.
    if (negated) here = holds;
  }
  collect(otherwise, here, found);
}

/** What is certainly there, and not null, when a condition holds. */
function presentIf(condition: readonly ConditionStep[]): ReadonlySet<string> {
  const stack: { present: ReadonlySet<string>; fixed: boolean }[] = [];
  for (const step of condition) {
    if (step.kind === 'operator') {
      const right = stack.pop()!;
      if (step.operator === 'not') {
        stack.push({ present: none, fixed: false });
        continue;
      }
      const left = stack.pop()!;
      stack.push({ present: combined(step.operator, left, right), fixed: false });
    } else {
      const path = pathOf(step);
      // A text or number that a variable is equal to: so the variable is not null.
      const fixed = step.kind === 'literal' && step.value !== null;
      stack.push({ present: path === undefined ? none : new Set([path]), fixed });
    }
  }
  return stack[0]?.present ?? none;
}

function combined(
  operator: string,
  left: { present: ReadonlySet<string>; fixed: boolean },
  right: { present: ReadonlySet<string>; fixed: boolean },
): ReadonlySet<string> {
  switch (operator) {
    case 'and':
      return new Set([...left.present, ...right.present]);
    case 'or':
      return new Set([...left.present].filter((path) => right.present.has(path)));
    case '==':
      return left.fixed ? right.present : right.fixed ? left.present : none;
    case '!=':
      return none;
    default:
      // Nothing is smaller than, or part of, what is not there.
      return new Set([...left.present, ...right.present]);
  }
}

function pathOf(step: ConditionStep): string | undefined {
  return step.kind === 'variable' ? step.path.join('.') : undefined;
}
