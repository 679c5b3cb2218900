import type { TemplateNeeds } from './find-needs.ts';
import { valueAt } from './value-at.ts';

export interface ParamsProblem {
  code: 'missing_params' | 'invalid_params';
  /** The variables, as names joined by dots. */
  names: string[];
}

/** What is wrong with the parameters of one message. Of those that it does not name, its batch's count. */
export function paramsProblem(
  { required, optional }: Pick<TemplateNeeds, 'required' | 'optional'>,
  params: { own: unknown; defaults: unknown },
): ParamsProblem | undefined {
  const missing = required.filter((name) => (lookUp(name, params) ?? null) === null);
  if (missing.length > 0) return { code: 'missing_params', names: missing };
  const isObject = (name: string) => typeof (lookUp(name, params) ?? undefined) === 'object';
  if (!required.some(isObject) && !optional.some(isObject)) return undefined;
  return { code: 'invalid_params', names: [...required.filter(isObject), ...optional.filter(isObject)] };
}

function lookUp(name: string, { own, defaults }: { own: unknown; defaults: unknown }): unknown {
  const path = name.split('.');
  const isOwn = typeof own === 'object' && own !== null && Object.hasOwn(own, path[0]!);
  return valueAt(isOwn ? own : defaults, path);
}

/** A message's parameters, and those of its batch that it does not name. */
export function mergedParams(
  own: Record<string, unknown> | undefined,
  defaults: Record<string, unknown> | undefined,
): Record<string, unknown> {
  if (defaults === undefined) return own ?? {};
  return own === undefined ? defaults : { ...defaults, ...own };
}
