/** A place in a write-ahead log. Places of different timelines of a log are not comparable. */
export interface LogPosition {
  /** The name of the log. */
  log: string;
  timeline: number;
  position: bigint;
}

/**
 * What a reader must find: everything up to these places, one for each log. `unknown` stands for something that was
 * written nobody knows where, so that only the writer's own side has it for certain.
 */
export type ConsistencyToken = readonly LogPosition[] | 'unknown';

/** Logs in one token at most. */
const logsMax = 16;
/** Room for as many of the longest, with spaces behind the commas. */
export const tokenLengthMax = 1_024;

const placePattern = /^([a-z0-9-]{1,32}):([1-9]\d{0,9}):([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/;
const timelineMax = 0xffff_ffff;

/** Reads `home:1:0/16B374D8` or `unknown`, or several tokens with commas between; undefined for anything else. */
export function parseToken(text: string): ConsistencyToken | undefined {
  if (text.length > tokenLengthMax) return undefined;
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length > logsMax) return undefined;
  const told = parts.filter((part) => part !== 'unknown');
  const places: LogPosition[] = [];
  for (const part of told) {
    const [, log, timeline, high, low] = placePattern.exec(part) ?? [];
    if (log === undefined || Number(timeline) > timelineMax) return undefined;
    places.push({ log, timeline: Number(timeline), position: (hex(high!) << 32n) | hex(low!) });
  }
  return told.length < parts.length ? 'unknown' : joinPlaces(places);
}

export function tokenText(token: ConsistencyToken): string {
  if (token === 'unknown') return token;
  return token.map(({ log, timeline, position }) => `${log}:${timeline}:${positionText(position)}`).join(',');
}

/** What holds both tokens. */
export function joinTokens(one: ConsistencyToken, other: ConsistencyToken): ConsistencyToken {
  if (one === 'unknown' || other === 'unknown') return 'unknown';
  return joinPlaces([...one, ...other]);
}

/** PostgreSQL's way to write a position: `16/B374D848`. */
export function positionText(position: bigint): string {
  const half = (value: bigint) => value.toString(16).toUpperCase();
  return `${half(position >> 32n)}/${half(position & 0xffff_ffffn)}`;
}

/** @throws what is no position */
export function parsePosition(text: string): bigint {
  const [high, low, more] = text.split('/');
  if (high === undefined || low === undefined || more !== undefined) throw new Error(`no position: ${text}`);
  return (hex(high) << 32n) | hex(low);
}

/** Of each log the last place: a timeline begins where the one before ended. */
function joinPlaces(places: readonly LogPosition[]): LogPosition[] {
  const last = new Map<string, LogPosition>();
  for (const place of places) {
    const known = last.get(place.log);
    if (!known || isBehind(known, place)) last.set(place.log, place);
  }
  return [...last.values()];
}

function isBehind(one: LogPosition, other: LogPosition): boolean {
  return one.timeline === other.timeline ? one.position < other.position : one.timeline < other.timeline;
}

function hex(digits: string): bigint {
  return BigInt(`0x${digits}`);
}
