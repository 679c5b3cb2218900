import { nearestName } from '../lib/nearest-name.ts';
import type { Environment } from './environment.ts';
import { optionNames, variablesOf } from './options.ts';

/** Read by client commands, by the tests and by the container image rather than by `serve`. */
const otherVariables = ['MILLRACE_CONFIG', 'MILLRACE_URL', 'MILLRACE_KEY'];

/**
 * Variables that look meant for Millrace and are not read. They are reported and not refused: Kubernetes sets
 * `MILLRACE_SERVICE_HOST` and its kin by itself.
 */
export function unknownVariables(env: Environment): { variable: string; nearest: string | undefined }[] {
  const known = [...optionNames.flatMap(variablesOf), ...otherVariables];
  return Object.keys(env)
    .filter((variable) => variable.startsWith('MILLRACE_') && !known.includes(variable))
    .filter((variable) => !variable.startsWith('MILLRACE_TEST_'))
    .map((variable) => ({ variable, nearest: nearestName(variable, known) }));
}
