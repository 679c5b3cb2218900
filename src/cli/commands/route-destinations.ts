import { InvalidArgumentError } from 'commander';
import { Failure } from '../failure.ts';

/** A destination as `--destination` names it; `gone` for one of `--no-destination`. */
export interface DestinationChange {
  match: string;
  ratePerSecond?: number;
  concurrency?: number;
  gone?: true;
}

export function collectDestination(
  text: string,
  before: DestinationChange[] | undefined,
): DestinationChange[] {
  const [match, ...limits] = text.split(',').map((part) => part.trim());
  const destination: DestinationChange = { match: match! };
  for (const limit of limits) {
    const [, name, value] = /^(rate|concurrency)=(\d+(?:\.\d+)?)$/.exec(limit) ?? [];
    if (name === undefined) throw new InvalidArgumentError('It must look like +31,rate=20,concurrency=4.');
    destination[name === 'rate' ? 'ratePerSecond' : 'concurrency'] = Number(value);
  }
  return [...(before ?? []), destination];
}

/** Both flags fill one list, so that they are obeyed in the order in which they stand. */
export function dropDestination(text: string, before: DestinationChange[] | undefined): DestinationChange[] {
  return [...(before ?? []), { match: text.trim(), gone: true }];
}

/**
 * Those of a match that is named again are replaced; null when none is left.
 * @throws Failure for one to be taken away that is not there
 */
export function changeDestinations(
  present: unknown,
  changes: readonly DestinationChange[],
): DestinationChange[] | null {
  const byMatch = new Map<string, DestinationChange>();
  for (const destination of Array.isArray(present) ? (present as DestinationChange[]) : []) {
    byMatch.set(destination.match.toLowerCase(), destination);
  }
  for (const change of changes) {
    const key = change.match.toLowerCase();
    if (!change.gone) byMatch.set(key, change);
    else if (!byMatch.delete(key)) throw noSuchDestination(change.match, [...byMatch.values()]);
  }
  return byMatch.size === 0 ? null : [...byMatch.values()];
}

function noSuchDestination(match: string, present: readonly DestinationChange[]): Failure {
  const names = present.map((destination) => destination.match).join(', ');
  return new Failure(`the route limits no destination ${JSON.stringify(match)}`, {
    hint: names === '' ? 'It limits none.' : `It limits ${names}.`,
  });
}
