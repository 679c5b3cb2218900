import { defaultCountry } from '../../../intake/default-country.ts';
import { classicStatuses } from '../../../message/classic-status.ts';
import { lowestIdAt } from '../../../message/id.ts';
import { lookupHash } from '../../../message/lookup-hash.ts';
import type { PhoneCountry } from '../../../message/phone-number.ts';
import { highestId } from '../../../store/reading/id-range.ts';
import {
  countKeyedChunks,
  type KeyedList,
  listKeyedChunks,
} from '../../../store/reading/list-keyed-chunks.ts';
import type { ApiContext, ApiInstance } from '../../context.ts';
import { messageTypes, parseClassicTime, recipientNumber } from './classic-message.ts';
import { classicRoute } from './classic-route.ts';
import { originOf, type SeenMessage, showClassic, statusOf } from './classic-view.ts';
import { readClassicMessages } from './find-messages.ts';
import { type Fields, invalidField, readQuery } from './read-fields.ts';
import { classicList } from './store-messages.ts';

const limitDefault = 20;
const limitMax = 200;
const offsetMax = 1_000_000_000;
/** Messages that are read to find those that a filter means: about a second. */
const scanMax = 10_000;
const scanAtOnce = 250;

/** The messages that were sent through the classic API, newest first. */
export function listClassicMessages(app: ApiInstance, context: ApiContext): void {
  app.get('/messages', classicRoute('read'), async (request) => {
    const { accountId } = request.caller;
    const query = parseQuery(readQuery(request), {
      accountId,
      country: defaultCountry(context.control, accountId),
    });
    const { offset, limit, filters } = query;
    const nowMs = Date.now();
    const { totalCount, messages } = filters.length
      ? await scan(context, { ...query, nowMs })
      : await page(context, query);
    const origin = originOf(request);
    return {
      offset,
      limit,
      count: messages.length,
      totalCount,
      links: links(`${origin}/messages`, { given: query.given, offset, limit, totalCount }),
      items: messages.map((message) => showClassic(message, { origin, nowMs })),
    };
  });
}

/** Whether a message is meant, which only reading it tells. */
type Filter = (message: SeenMessage, nowMs: number) => boolean;

interface ListQuery {
  offset: number;
  limit: number;
  list: KeyedList;
  filters: Filter[];
  /** Where numbers are dialled that do not tell their country. */
  country: PhoneCountry | undefined;
  /** What was asked for beside the page, to be asked for again. */
  given: [string, string][];
}

interface Found {
  totalCount: number;
  messages: SeenMessage[];
}

async function page(context: ApiContext, { list, offset, limit }: ListQuery): Promise<Found> {
  const [totalCount, chunkIds] = await Promise.all([
    countKeyedChunks(context.database, list),
    listKeyedChunks(context.database, { ...list, offset, limit }),
  ]);
  const messages = await readClassicMessages(context, { accountId: list.accountId, chunkIds });
  return { totalCount, messages };
}

async function scan(
  context: ApiContext,
  { list, offset, limit, filters, nowMs }: ListQuery & { nowMs: number },
): Promise<Found> {
  const found: Found = { totalCount: 0, messages: [] };
  let { to } = list;
  for (let scanned = 0; ; scanned += scanAtOnce) {
    if (scanned >= scanMax) {
      throw invalidField(
        'from',
        `and until must be nearer together: ${scanMax} messages are looked through at most`,
      );
    }
    const chunkIds = await listKeyedChunks(context.database, { ...list, to, offset: 0, limit: scanAtOnce });
    for (const message of await readClassicMessages(context, { accountId: list.accountId, chunkIds })) {
      if (!filters.every((isMeant) => isMeant(message, nowMs))) continue;
      if (found.totalCount >= offset && found.messages.length < limit) found.messages.push(message);
      found.totalCount++;
    }
    if (chunkIds.length < scanAtOnce) return found;
    to = chunkIds.at(-1)!;
  }
}

function parseQuery(
  fields: Fields,
  { accountId, country }: { accountId: number; country: PhoneCountry | undefined },
): ListQuery {
  const list: KeyedList = { accountId, key: classicList(accountId), from: lowestIdAt(0), to: highestId };
  const query: ListQuery = { offset: 0, limit: limitDefault, list, filters: [], country, given: [] };
  for (const [name, value] of Object.entries(fields)) {
    if (value === '') continue;
    if (typeof value !== 'string') throw invalidField(name, 'may be given once');
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!parameter) throw invalidField(name.slice(0, 40), 'is no parameter of this list');
    parameter(query, value);
    if (name !== 'offset' && name !== 'limit') query.given.push([name, value]);
  }
  return query;
}

const parameters: Record<string, (query: ListQuery, value: string) => void> = {
  offset(query, value) {
    query.offset = wholeNumber('offset', value, { min: 0, max: offsetMax });
  },
  limit(query, value) {
    query.limit = wholeNumber('limit', value, { min: 1, max: limitMax });
  },
  recipient({ list, country }, value) {
    // A plus that is not encoded arrives as a space, and what begins with no zero has the code of its country anyway.
    const to = recipientNumber(value, country);
    if (to === undefined) throw invalidField('recipient', 'must be a telephone number');
    list.toHash = lookupHash('to', list.accountId, to);
  },
  from({ list }, value) {
    list.from = lowestIdAt(time('from', value).getTime());
  },
  // Times are shown to the second, and this one is meant as well.
  until({ list }, value) {
    list.to = lowestIdAt((Math.floor(time('until', value).getTime() / 1_000) + 1) * 1_000);
  },
  direction(_query, value) {
    if (value === 'mt') return;
    throw invalidField('direction', 'must be mt: messages are not received here');
  },
  originator({ filters }, value) {
    filters.push(({ originator }) => originator === value);
  },
  type({ filters }, value) {
    if (!(messageTypes as readonly string[]).includes(value)) {
      throw invalidField('type', `must be ${messageTypes.join(', ')}`);
    }
    filters.push(({ details }) => details.type === value);
  },
  status({ filters }, value) {
    const wanted = value.replace(' ', '_');
    if (!(classicStatuses as readonly string[]).includes(wanted)) {
      throw invalidField('status', `must be ${classicStatuses.join(', ')}`);
    }
    filters.push(({ scheduledAt, recipients }, nowMs) =>
      recipients.some((recipient) => statusOf(recipient, { scheduledAt, nowMs }) === wanted),
    );
  },
  searchterm({ filters }, value) {
    const wanted = value.toLowerCase();
    filters.push(({ body, recipients }) => {
      const texts = [body?.toLowerCase(), ...recipients.map(({ to }) => to)];
      return texts.some((text) => text?.includes(wanted));
    });
  },
};

function wholeNumber(name: string, value: string, { min, max }: { min: number; max: number }): number {
  const number = /^\d{1,12}$/.test(value) ? Number(value) : -1;
  if (number < min || number > max) throw invalidField(name, `must be a whole number from ${min} to ${max}`);
  return number;
}

function time(name: string, value: string): Date {
  const parsed = parseClassicTime(value);
  if (!parsed) throw invalidField(name, 'must be a time of RFC 3339, such as 2026-01-31T09:30:00+00:00');
  return parsed;
}

function links(
  url: string,
  {
    given,
    offset,
    limit,
    totalCount,
  }: Pick<ListQuery, 'given' | 'offset' | 'limit'> & { totalCount: number },
) {
  const at = (start: number) => {
    const query = new URLSearchParams([...given, ['offset', String(start)], ['limit', String(limit)]]);
    return `${url}?${query.toString()}`;
  };
  const lastStart = Math.floor(Math.max(0, totalCount - 1) / limit) * limit;
  return {
    first: totalCount > 0 ? at(0) : null,
    previous: offset > 0 && totalCount > 0 ? at(Math.max(0, offset - limit)) : null,
    next: offset + limit < totalCount ? at(offset + limit) : null,
    last: totalCount > 0 ? at(lastStart) : null,
  };
}
