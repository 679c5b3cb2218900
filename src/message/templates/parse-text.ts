import {
  IfTag,
  Liquid,
  LiquidError,
  Output,
  type Template,
  type Token,
  TokenKind,
  UnlessTag,
} from 'liquidjs';
import { filterProblem } from './filters.ts';
import { BadTemplateError } from './template-error.ts';
import { templateLimits } from './template-limits.ts';

/** What one text of a template is made of. */
export type TextNode =
  | { kind: 'text'; text: string }
  | { kind: 'output'; value: Operand; filters: FilterUse[] }
  | { kind: 'choice'; branches: Branch[]; otherwise: TextNode[] };

export interface Branch {
  /** Operands and operators, each operator behind its operands. */
  condition: ConditionStep[];
  /** `unless`: taken where the condition does not hold. */
  negated: boolean;
  nodes: TextNode[];
}

export type ConditionStep = Operand | { kind: 'operator'; operator: Operator };
export type Operator = (typeof operators)[number];

/** `begin` is its place in the text: how many characters are before it. */
export type Operand = { begin: number } & (
  | { kind: 'literal'; value: string | number | boolean | null }
  /** The names from the outermost object inwards. */
  | { kind: 'variable'; path: string[] }
);

export interface FilterUse {
  name: string;
  args: Operand[];
}

const operators = ['==', '!=', '>', '<', '>=', '<=', 'contains', 'and', 'or', 'not'] as const;

/**
 * Reads a text in the part of Liquid that templates may use: `{{ variable | filter }}`, `if`, `elsif`, `else` and `unless`. The
 * library reads it; what it read is gone through piece by piece and kept in a form of our own, so that nothing else of
 * the library runs when messages are rendered, and whatever is not known here is refused.
 * @throws BadTemplateError
 */
export function parseText(text: string): TextNode[] {
  return nodesOf(parsed(text), 0);
}

/** Nothing that assigns, repeats, includes or reads files: those tags are not there, nor is a file system. */
function restrictedLiquid(): Liquid {
  const restricted = new Liquid({ templates: {}, parseLimit: templateLimits.textCharsMax });
  for (const name of Object.keys(restricted.tags)) {
    if (name !== 'if' && name !== 'unless') delete restricted.tags[name];
  }
  return restricted;
}

let liquid: Liquid | undefined;

function parsed(text: string): Template[] {
  liquid ??= restrictedLiquid();
  try {
    return liquid.parse(text);
  } catch (error) {
    if (!LiquidError.is(error)) throw error;
    const { originalError, token, message } = error as LiquidError & { originalError?: Error; token: Token };
    const [line, column] = positionOf(token);
    // Conditions thousands deep.
    if (originalError instanceof RangeError) throw tooDeep([line, column]);
    const detail = (originalError?.message ?? message).replace(/, line:\d+, col:\d+$/, '');
    throw new BadTemplateError(detail, [line, column]);
  }
}

function nodesOf(templates: readonly Template[], depth: number): TextNode[] {
  return templates.map((template) => nodeOf(template, depth));
}

function nodeOf(template: Template, depth: number): TextNode {
  if (template instanceof Output) return outputOf(template);
  if (template instanceof IfTag) return choiceOf(template, { depth, unless: false });
  if (template instanceof UnlessTag) return choiceOf(template, { depth, unless: true });
  const { str } = template as Template & { str?: unknown };
  if (typeof str !== 'string') throw at(template.token, 'is not part of the language of templates');
  return { kind: 'text', text: str };
}

function outputOf({ value, token }: Output): TextNode {
  const [initial, ...more] = value.initial.postfix;
  if (!initial || more.length > 0) throw at(token, 'expected one variable or text between {{ and }}');
  // Declared as private, and the only place that tells where a filter ends.
  const filters = value.filters as unknown as { name: string; args: unknown[]; token: Token }[];
  checkEnd([initial, ...filters.map((filter) => filter.token)], '}}');
  return {
    kind: 'output',
    value: operandOf(initial),
    filters: filters.map((filter) => filterOf(filter)),
  };
}

function filterOf({ name, args, token }: { name: string; args: unknown[]; token: Token }): FilterUse {
  const operands = args.map((arg) => {
    if (Array.isArray(arg)) throw at(token, `filter "${name}" takes no named arguments`);
    return operandOf(arg as Token);
  });
  const problem = filterProblem(name, operands.length);
  if (problem !== undefined) throw at(token, problem);
  return { name, args: operands };
}

function choiceOf(tag: IfTag | UnlessTag, { depth, unless }: { depth: number; unless: boolean }): TextNode {
  if (depth === templateLimits.nestingMax) throw tooDeep(positionOf(tag.token));
  const branches = tag.branches.map(({ value, templates }, index) => {
    if (value.filters.length > 0) throw at(tag.token, 'a condition takes no filters');
    return {
      condition: conditionOf(value.initial.postfix, tag.token),
      negated: unless && index === 0,
      nodes: nodesOf(templates, depth + 1),
    };
  });
  return { kind: 'choice', branches, otherwise: nodesOf(tag.elseTemplates ?? [], depth + 1) };
}

function conditionOf(postfix: readonly Token[], tag: Token): ConditionStep[] {
  let operands = 0;
  const steps = postfix.map((token): ConditionStep => {
    if (token.kind !== TokenKind.Operator) {
      operands++;
      return operandOf(token);
    }
    const { operator } = token as Token & { operator: string };
    if (!isOperator(operator)) throw at(token, `there is no operator "${operator}"`);
    const taken = operator === 'not' ? 1 : 2;
    if (operands < taken) throw at(token, `"${operator}" lacks what it compares`);
    operands -= taken - 1;
    return { kind: 'operator', operator };
  });
  if (operands !== 1) throw at(postfix[0] ?? tag, 'a condition compares two values, or is one');
  checkEnd(postfix, '%}');
  return steps;
}

function isOperator(name: string): name is Operator {
  return (operators as readonly string[]).includes(name);
}

const literals: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['nil', null],
  ['null', null],
]);

function operandOf(token: Token): Operand {
  const { begin } = token;
  switch (token.kind) {
    case TokenKind.Number:
    case TokenKind.Quoted:
      return { begin, kind: 'literal', value: (token as Token & { content: string | number }).content };
    case TokenKind.Literal: {
      const value = literals.get(token.getText());
      if (value === undefined)
        throw at(token, `"${token.getText()}" is not part of the language of templates`);
      return { begin, kind: 'literal', value };
    }
    case TokenKind.PropertyAccess:
      return {
        begin,
        kind: 'variable',
        path: pathOf(token as Token & { variable?: Token; props: Token[] }),
      };
    default:
      throw at(token, 'expected a variable, a text in quotes or a number');
  }
}

/** Names joined by dots: what is in brackets may be another variable, and a number the place in a list. */
function pathOf(token: Token & { variable?: Token; props: Token[] }): string[] {
  if (token.variable !== undefined || token.props.some(({ kind }) => kind !== TokenKind.Word)) {
    throw at(token, 'a variable is a name, or names joined by dots');
  }
  if (token.getText().length > templateLimits.variableCharsMax) {
    throw at(token, `a variable has ${templateLimits.variableCharsMax} characters at most`);
  }
  return token.props.map((prop) => (prop as Token & { content: string }).content);
}

/** The library leaves out what it cannot read behind a value. */
function checkEnd(tokens: readonly Token[], delimiter: string): void {
  const last = tokens.reduce((latest, token) => (token.end > latest.end ? token : latest));
  const rest = last.input.slice(last.end).trimStart();
  if (rest.startsWith(delimiter) || rest.startsWith(`-${delimiter}`)) return;
  throw at(last, `what follows "${last.getText().slice(0, 40)}" cannot be read`);
}

function at(token: Token, detail: string): BadTemplateError {
  return new BadTemplateError(detail, positionOf(token));
}

function positionOf(token: Token): [number, number] {
  return token.getPosition() as [number, number];
}

function tooDeep(position: [number, number]): BadTemplateError {
  return new BadTemplateError(`conditions are nested more than ${templateLimits.nestingMax} deep`, position);
}
