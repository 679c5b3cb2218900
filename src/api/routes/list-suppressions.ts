import { type Static, Type } from 'typebox';
import { defaultCountry } from '../../intake/default-country.ts';
import type { PhoneCountry } from '../../message/phone-number.ts';
import { type SuppressionChannel, suppressionChannels, suppressionHash } from '../../message/suppression.ts';
import {
  findSuppression,
  type ListedSuppression,
  listSuppressions as listFrom,
  type SuppressionPlace,
} from '../../store/control/suppressions.ts';
import type { Queryable } from '../../store/database.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { isUuid } from '../is-uuid.ts';
import { keptForm } from '../kept-form.ts';
import { badCursor, Page, pageLimit, pageOf, pageQuery } from '../page.ts';
import { readingContext } from '../read-target.ts';
import { Channel, SuppressionAnswer, suppressionAnswer } from './suppression-fields.ts';

const Query = Type.Object(
  {
    ...pageQuery,
    channel: Type.Optional(Channel),
    to: Type.Optional(
      Type.String({ minLength: 1, description: 'this recipient alone; a `+` need not be encoded' }),
    ),
  },
  { additionalProperties: false },
);

export function listSuppressions(app: ApiInstance, context: ApiContext): void {
  app.get(
    '/v1/suppressions',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Suppressed recipients',
        description: 'In the order in which they were added, one channel after the other.',
        tags: ['suppressions'],
        querystring: Query,
        response: { 200: Page(SuppressionAnswer) },
      },
    },
    async (request) => {
      const { accountId } = request.caller;
      const { query } = request;
      const { database } = await readingContext(context, request);
      if (query.to !== undefined) {
        const country = defaultCountry(context.control, accountId);
        return { data: await lookUp(database, { accountId, country, query }), next: null };
      }
      const limit = pageLimit(query);
      const items = await listFrom(database, {
        accountId,
        channel: query.channel,
        after: query.after === undefined ? undefined : readCursor(query.after),
        limit: limit + 1,
      });
      return pageOf(items, { limit, cursor, show: suppressionAnswer });
    },
  );
}

async function lookUp(
  database: Queryable,
  {
    accountId,
    country,
    query,
  }: { accountId: number; country: PhoneCountry | undefined; query: Static<typeof Query> },
) {
  const hash = suppressionHash(accountId, keptForm(query.to!, country));
  const found = hash === undefined ? undefined : await findSuppression(database, { accountId, hash });
  const isMeant = found && (query.channel === undefined || query.channel === found.channel);
  return isMeant ? [suppressionAnswer(found)] : [];
}

function cursor({ channel, version, hash }: ListedSuppression): string {
  return `${channel}.${version}.${hash}`;
}

function readCursor(text: string): SuppressionPlace {
  const [channel, version, hash, ...more] = text.split('.');
  const isPlace =
    suppressionChannels.includes(channel as SuppressionChannel) &&
    /^\d{1,15}$/.test(version ?? '') &&
    isUuid(hash ?? '') &&
    more.length === 0;
  if (!isPlace) throw badCursor();
  return { channel: channel as SuppressionChannel, version: version!, hash: hash! };
}
