import { Type } from 'typebox';
import type { SecretBox } from '../../lib/secret-box.ts';
import type { Account } from '../../message/account.ts';
import { type ErrorItem, ProblemError } from '../../message/error-codes.ts';
import type { Channel } from '../../message/fields.ts';
import { isPhoneCountry, type PhoneCountry } from '../../message/phone-number.ts';
import { mayUseRoute } from '../../message/route.ts';
import { callbackRouteName } from '../../message/webhook.ts';
import { findRoute } from '../../store/control/routes.ts';
import type { Queryable } from '../../store/database.ts';
import { invalid } from '../validation.ts';

const nameLengthMax = 200;
const weightMax = 1_000;
const requestsPerSecondMax = 1_000_000;
const ratePerSecondMax = 1_000_000;
const perDayMax = 1_000_000_000;
/** A thousand of the currency for one message: what a day of the largest quota costs is still an exact number. */
const messageMicrosMax = 1_000_000_000;
const routeName = Type.String({ minLength: 1, maxLength: 64 });

const DefaultRoutes = Type.Object(
  { sms: Type.Optional(routeName), email: Type.Optional(routeName), webhook: Type.Optional(routeName) },
  { additionalProperties: false, description: 'the routes of messages that name none, by channel' },
);

const Limits = Type.Object(
  {
    requestsPerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: requestsPerSecondMax,
        description: 'of each of its keys, in each process; absent for the server’s own limit',
      }),
    ),
    ratePerSecond: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        maximum: ratePerSecondMax,
        description: 'messages that leave in a second, over all its routes; absent for no limit',
      }),
    ),
    messagesPerDay: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: perDayMax,
        description: 'messages taken in on a day of UTC; what comes beyond is refused; absent for no limit',
      }),
    ),
    partsPerDay: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: perDayMax,
        description: 'the same of the SMS that they take; what is sent to no telephone counts as one',
      }),
    ),
  },
  { additionalProperties: false, description: 'what the account may do at most' },
);

export const currencyForm = {
  pattern: '^[A-Z]{3}$',
  'x-detail': 'must be three capital letters such as EUR',
};

const PrepaidFields = Type.Object(
  {
    currency: Type.String({ ...currencyForm, description: 'of ISO 4217' }),
    messageMicros: Type.Integer({
      minimum: 0,
      maximum: messageMicrosMax,
      description: 'what a message costs, in millionths of the currency',
    }),
    partMicros: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: messageMicrosMax,
        description: 'what each SMS of a message costs besides; absent for nothing',
      }),
    ),
  },
  { additionalProperties: false },
);

const Prepaid = Type.Union([PrepaidFields, Type.Null()], {
  description: 'set for an account that sends only what its balance pays for; null for one that pays later',
});

const DefaultCountry = Type.Union(
  [Type.String({ pattern: '^[A-Z]{2}$', 'x-detail': 'must be two capital letters such as NL' }), Type.Null()],
  {
    description:
      'where telephone numbers are dialled that do not tell their country, by ISO 3166-1, such as `NL`: `06 12345678` is then ' +
      '`+31612345678`; null for nowhere, so that they are refused',
  },
);

/** What an account is made of; each field may be changed later. */
export const accountFields = {
  name: Type.String({
    minLength: 1,
    maxLength: nameLengthMax,
    pattern: '^[^\\s\\x00-\\x1f\\x7f]([^\\x00-\\x1f\\x7f]*[^\\s\\x00-\\x1f\\x7f])?$',
    'x-detail': 'must have no control characters, and no blanks at its ends',
    description: 'unique; no control characters, no blanks at its ends',
  }),
  weight: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: weightMax,
      default: 1,
      description: 'share of capacity beside others',
    }),
  ),
  defaultRoutes: Type.Optional(DefaultRoutes),
  defaultCountry: Type.Optional(DefaultCountry),
  limits: Type.Optional(Limits),
  prepaid: Type.Optional(Prepaid),
};

export const AccountAnswer = Type.Object({
  id: Type.String(),
  name: Type.String(),
  weight: Type.Integer(),
  defaultRoutes: DefaultRoutes,
  defaultCountry: DefaultCountry,
  limits: Limits,
  prepaid: Prepaid,
  createdAt: Type.String({ format: 'date-time' }),
});

export function accountAnswer(account: Account) {
  return {
    id: String(account.id),
    name: account.name,
    weight: account.weight,
    defaultRoutes: account.defaultRoutes,
    defaultCountry: account.defaultCountry,
    limits: account.limits,
    prepaid: account.prepaid,
    createdAt: account.createdAt.toISOString(),
  };
}

const integerMax = 2_147_483_647;

/** The number of an account id, or null for a text that is none. */
export function parseAccountId(text: string): number | null {
  if (!/^[1-9]\d{0,9}$/.test(text)) return null;
  const id = Number(text);
  return id <= integerMax ? id : null;
}

export function noSuchAccount(): ProblemError {
  return new ProblemError('not_found', 'there is no such account');
}

export function nameTaken(name: string): ProblemError {
  return new ProblemError('conflict', `another account is named ${JSON.stringify(name)}`);
}

/** @throws ProblemError for a code that is no country's */
export function readDefaultCountry(code: string | null): PhoneCountry | null {
  if (code === null || isPhoneCountry(code)) return code;
  const detail = 'must be the code of a country by ISO 3166-1, such as NL or US';
  throw invalid('body', [{ pointer: '/defaultCountry', code: 'unknown_country', detail }]);
}

/** @throws ProblemError when a default route does not exist, or is not for the account or the channel. */
export async function checkDefaultRoutes(
  transaction: Queryable,
  settings: { routes: Account['defaultRoutes']; accountId?: number; secrets: SecretBox },
): Promise<void> {
  const errors: ErrorItem[] = [];
  for (const [channel, name] of Object.entries(settings.routes) as [Channel, string][]) {
    const route = await findRoute(transaction, { name, secrets: settings.secrets });
    const add = (code: string, detail: string) =>
      errors.push({ pointer: `/defaultRoutes/${channel}`, code, detail });
    if (!route) add('unknown_route', 'there is no route of this name');
    else if (name === callbackRouteName) add('route_not_allowed', 'the route is for what webhooks are told');
    else if (route.accounts && (!settings.accountId || !mayUseRoute(route, settings.accountId))) {
      add('route_not_allowed', 'the route is for other accounts');
    } else if ((route.channel ?? channel) !== channel || (!route.channel && channel === 'webhook')) {
      add('wrong_channel', `the route is not for ${channel}`);
    }
  }
  if (errors.length > 0) throw invalid('body', errors);
}
