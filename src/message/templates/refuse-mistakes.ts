import { argumentProblem } from './filters.ts';
import type { FilterUse, Operand, TextNode } from './parse-text.ts';
import { BadTemplateError, positionIn } from './template-error.ts';

/**
 * Refuses what can be read and fails, whatever a message brings. It is for saving alone: versions that are stored may hold
 * it, and are read as they were.
 * @throws BadTemplateError for the first of them
 */
export function refuseMistakes(text: string, nodes: readonly TextNode[]): void {
  const mistake = firstMistake(nodes);
  if (mistake) throw new BadTemplateError(mistake.detail, positionIn(text, mistake.operand.begin));
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
      return mistakeInFilters(node.filters);
    case 'choice':
      return firstMistake([...node.branches.flatMap((branch) => branch.nodes), ...node.otherwise]);
  }
}

function mistakeInFilters(filters: readonly FilterUse[]): Mistake | undefined {
  for (const { name, args } of filters) {
    for (const [place, operand] of args.entries()) {
      if (operand.kind !== 'literal') continue;
      const detail = argumentProblem(name, operand.value, place);
      if (detail !== undefined) return { operand, detail };
    }
  }
  return undefined;
}
