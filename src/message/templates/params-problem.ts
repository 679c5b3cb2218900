import type { TemplateNeeds } from './find-needs.ts';
import { valueAt } from './value-at.ts';

export interface ParamsProblem {
  code: 'missing_params' | 'invalid_params';
  /** The variables, as names joined by dots. */
  names: string[];
}

type ShownNeeds = Pick<TemplateNeeds, 'required' | 'optional'>;
type Params = Record<string, unknown> | undefined;

/**
 * What is wrong with the parameters of one message. Of those that it does not name, its batch's count. Every line of a
 * flood is asked, so that nothing is made for those with which nothing is wrong.
 */
export function paramsProblem(
  needs: ShownNeeds,
  { own, defaults }: { own: Params; defaults: Params },
): ParamsProblem | undefined {
  const { required, optional } = pathsOf(needs);
  for (const path of required)
    if (!isPrintable(lookUp(path, own, defaults))) return describe(needs, own, defaults);
  for (const path of optional) {
    if (typeof (lookUp(path, own, defaults) ?? undefined) === 'object') return describe(needs, own, defaults);
  }
  return undefined;
}

/** By the needs of one template: to split its names for each message would take longer than all else. */
const paths = new WeakMap<ShownNeeds, { required: string[][]; optional: string[][] }>();

function pathsOf(needs: ShownNeeds): { required: string[][]; optional: string[][] } {
  const known = paths.get(needs);
  if (known) return known;
  const split = (names: readonly string[]) => names.map((name) => name.split('.'));
  const made = { required: split(needs.required), optional: split(needs.optional) };
  paths.set(needs, made);
  return made;
}

function describe(needs: ShownNeeds, own: Params, defaults: Params): ParamsProblem {
  const valueUnder = (name: string) => lookUp(name.split('.'), own, defaults) ?? null;
  const missing = needs.required.filter((name) => valueUnder(name) === null);
  if (missing.length > 0) return { code: 'missing_params', names: missing };
  const shown = [...needs.required, ...needs.optional];
  const isObject = (name: string) => valueUnder(name) !== null && typeof valueUnder(name) === 'object';
  return { code: 'invalid_params', names: shown.filter(isObject) };
}

function isPrintable(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function lookUp(path: readonly string[], own: Params, defaults: Params): unknown {
  const isOwn = own !== undefined && Object.hasOwn(own, path[0]!);
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
