import { Type } from 'typebox';
import { ProblemError } from '../../message/error-codes.ts';
import { type State, states } from '../../message/state.ts';
import { waitReasons } from '../reading/waits-for.ts';
import { invalid } from '../validation.ts';

const Time = Type.String({ format: 'date-time' });
const NullableText = Type.Union([Type.String(), Type.Null()]);

export const StateName = Type.Unsafe<State>(Type.Union(states.map((state) => Type.Literal(state))));

const MessageError = Type.Object({ code: Type.String(), detail: NullableText });

const messageMembers = {
  id: Type.String(),
  batchId: Type.Union([Type.String(), Type.Null()], { description: 'null of a message sent singly' }),
  route: Type.String(),
  to: Type.String(),
  from: NullableText,
  body: NullableText,
  ref: NullableText,
  metadata: Type.Record(Type.String(), Type.Unknown()),
  tags: Type.Array(Type.String()),
  subject: Type.Optional(Type.String()),
  html: Type.Optional(Type.String()),
  template: Type.Optional(
    Type.String({ description: 'body, subject and HTML are what it makes of `params`, as they are sent' }),
  ),
  templateVersion: Type.Optional(
    Type.Integer({ description: 'the version of it that the message was accepted with' }),
  ),
  params: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  payload: Type.Optional(Type.Unknown()),
  headers: Type.Optional(Type.Record(Type.String(), Type.String())),
  scheduledAt: Type.Optional(Time),
  expiresAt: Type.Optional(Time),
  orderingKey: Type.Optional(
    Type.String({
      description: 'messages of the account that share it leave in the order of their acceptance',
    }),
  ),
  erased: Type.Optional(
    Type.Boolean({ description: 'the recipient was erased: `to` is empty, what is left is of the batch' }),
  ),
  unreadable: Type.Optional(
    Type.Boolean({
      description:
        'the stored text cannot be read, being damaged or of a later release: `to` is empty, it is kept as it is',
    }),
  ),
  test: Type.Optional(
    Type.Boolean({ description: 'sent with a test key: the attempt is simulated, nobody gets it' }),
  ),
  state: StateName,
  attempts: Type.Integer({ minimum: 0 }),
  providerRef: Type.Optional(Type.String({ description: "the provider's own id" })),
  error: Type.Optional(MessageError),
  createdAt: Time,
  stateAt: Type.String({
    format: 'date-time',
    description: 'when it came into its state; `createdAt` while nothing has happened to it',
  }),
};

/** A message in a list. */
export const MessageAnswer = Type.Object(messageMembers);

/** A message by itself. */
export const MessageWithTimeline = Type.Object({
  ...messageMembers,
  waitsFor: Type.Optional(
    Type.Array(
      Type.Object({
        reason: Type.Enum([...waitReasons]),
        until: Type.Optional(
          Type.String({ format: 'date-time', description: 'where it ends by itself: when' }),
        ),
        messageId: Type.Optional(
          Type.String({ description: 'of `earlier_message`: the one that has to come to its end first' }),
        ),
      }),
      {
        description:
          'of a message that is `queued` or `retrying`, where it is asked for by its id: all that keeps it. `batch_open`: its batch starts when it is ' +
          'closed; `send_window`: counted from when it could leave otherwise; `earlier_message`: one of the same ordering key has ' +
          'not come to its end; `expiry`: it is past `expiresAt` and not sent any more, only its end is not recorded yet; `turn`: nothing of ' +
          'this, it is due: what its lane waits for, an open breaker among it, is in `GET /v1/lanes`',
      },
    ),
  ),
  timeline: Type.Array(
    Type.Object({
      at: Time,
      state: StateName,
      attempt: Type.Optional(Type.Integer()),
      error: Type.Optional(MessageError),
      dueAt: Type.Optional(
        Type.String({
          description:
            'of `retrying`: when the next attempt is due; it waits longer where its route or batch is paused, or the breaker is open',
        }),
      ),
    }),
  ),
});

export function noSuchMessage(): ProblemError {
  return new ProblemError('not_found', 'there is no such message');
}

export function badQuery(name: string, detail: string): ProblemError {
  return invalid('query', [{ pointer: `/${name}`, code: 'invalid_value', detail }]);
}
