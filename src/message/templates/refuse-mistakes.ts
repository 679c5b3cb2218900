import { argumentProblem } from './filters.ts';
import type { Branch, ConditionStep, FilterUse, Operand, TextNode } from './parse-text.ts';
import { BadTemplateError, positionIn } from './template-error.ts';
import { templateLimits } from './template-limits.ts';

/**
 * Refuses what can be read and cannot be meant: an argument with which a filter always fails, what was written as a number
 * and is read as a variable, and filters or operators without end. It is for saving alone: versions that are stored may hold such things, and are read as they were.
 * @throws BadTemplateError for the first of them
 */
export function refuseMistakes(text: string, nodes: readonly TextNode[]): void {
  const mistake = firstMistake(nodes);
  if (mistake) throw new BadTemplateError(mistake.detail, positionIn(text, mistake.operand.begin));
}

/** Filters of some nodes, and of all within them. */
export function countFilters(nodes: readonly TextNode[]): number {
  let count = 0;
  for (const node of nodes) {
    if (node.kind === 'output') count += node.filters.length;
    if (node.kind !== 'choice') continue;
    for (const inner of [...node.branches.map((branch) => branch.nodes), node.otherwise]) {
      count += countFilters(inner);
    }
  }
  return count;
}

interface Mistake {
  operand: Operand;
  detail: string;
}

function firstMistake(nodes: readonly TextNode[]): Mistake | undefined {
  for (const node of nodes) {
    const mistake = mistakeIn(node);
    if (mistake) return mistake;
  }
  return undefined;
}

function mistakeIn(node: TextNode): Mistake | undefined {
  switch (node.kind) {
    case 'text':
      return undefined;
    case 'output':
      return mistakenName([node.value]) ?? tooManyFilters(node) ?? mistakeInFilters(node.filters);
    case 'choice':
      return mistakeInBranches(node.branches) ?? firstMistake(node.otherwise);
  }
}

function tooManyFilters({ value, filters }: Extract<TextNode, { kind: 'output' }>): Mistake | undefined {
  const { outputFiltersMax } = templateLimits;
  if (filters.length <= outputFiltersMax) return undefined;
  const detail = `a value has ${filters.length} filters; the limit is ${outputFiltersMax}`;
  return { operand: value, detail };
}

function mistakeInFilters(filters: readonly FilterUse[]): Mistake | undefined {
  for (const { name, args } of filters) {
    const mistake = mistakenName(args) ?? mistakenArgument(name, args);
    if (mistake) return mistake;
  }
  return undefined;
}

function mistakeInBranches(branches: readonly Branch[]): Mistake | undefined {
  for (const { condition, nodes } of branches) {
    const mistake = mistakenName(condition) ?? tooManyOperators(condition) ?? firstMistake(nodes);
    if (mistake) return mistake;
  }
  return undefined;
}

function tooManyOperators(condition: readonly ConditionStep[]): Mistake | undefined {
  const { operatorsMax } = templateLimits;
  const count = condition.filter(({ kind }) => kind === 'operator').length;
  if (count <= operatorsMax) return undefined;
  const detail = `a condition has ${count} operators; the limit is ${operatorsMax}`;
  return { operand: condition[0] as Operand, detail };
}

/** The library reads as a number what has digits and one point alone, and takes 1e3 or 1.5e3 for names. */
function mistakenName(steps: readonly ConditionStep[]): Mistake | undefined {
  for (const step of steps) {
    if (step.kind !== 'variable' || !/^-?[0-9]/.test(step.path[0]!)) continue;
    const name = step.path.join('.');
    const detail = `"${name}" is no number such as 1000 or -0.5, and the name of a variable does not begin with a digit`;
    return { operand: step, detail };
  }
  return undefined;
}

function mistakenArgument(name: string, args: readonly Operand[]): Mistake | undefined {
  for (const [place, operand] of args.entries()) {
    if (operand.kind !== 'literal') continue;
    const detail = argumentProblem(name, operand.value, place);
    if (detail !== undefined) return { operand, detail };
  }
  return undefined;
}
