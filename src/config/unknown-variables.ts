import { nearestName } from '../lib/nearest-name.ts';
import type { Environment } from './environment.ts';
import { optionNames, variablesOf } from './options.ts';

const prefix = 'MILLRACE_';

/** Read by client commands, by the tests and by the container image rather than by `serve`. */
const otherVariables = ['MILLRACE_CONFIG', 'MILLRACE_URL', 'MILLRACE_KEY', 'MILLRACE_OUTBOX_DATABASE_URL'];

/**
 * Variables that look meant for Millrace and are not read. They are reported and not refused: Kubernetes sets
 * `MILLRACE_SERVICE_HOST` and its kin by itself.
 */
export function unknownVariables(env: Environment): UnknownVariable[] {
  const known = [...optionNames.flatMap(variablesOf), ...otherVariables];
  // Without what they all begin with, by which a short name would be near to any other.
  const names = known.map((variable) => variable.slice(prefix.length));
  return Object.keys(env)
    .filter((variable) => variable.startsWith(prefix) && !known.includes(variable))
    .filter((variable) => !variable.startsWith('MILLRACE_TEST_'))
    .map((variable) => {
      const nearest = nearestName(variable.slice(prefix.length), names);
      return { variable, nearest: nearest && prefix + nearest };
    });
}

export interface UnknownVariable {
  variable: string;
  /** What it was probably meant to be. */
  nearest: string | undefined;
}

export function describeUnknownVariable({ variable, nearest }: UnknownVariable): string {
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return `${variable} is set, but Millrace does not read it${hint}`;
}
