/**
 * The states of a message (docs: design, section 3) and their numbers in the database.
 * The numbers are stored in outcomes: never renumber, only append.
 */
export const stateNumber = {
  queued: 0,
  sending: 1,
  retrying: 2,
  sent: 3,
  delivered: 4,
  failed: 5,
  expired: 6,
  canceled: 7,
  suppressed: 8,
  uncertain: 9,
} as const;

export type State = keyof typeof stateNumber;
export type StateNumber = (typeof stateNumber)[State];

export const states = Object.keys(stateNumber) as State[];

export function stateName(number: number): State {
  const state = states[number];
  if (state === undefined) throw new RangeError(`no message state has number ${number}`);
  return state;
}

/** Final states leave nothing for the delivery to do. Receipts, resolve and replay may still change them. */
export function isFinal(number: number): boolean {
  return number >= stateNumber.sent;
}
