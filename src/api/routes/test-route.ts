import { type Static, Type } from 'typebox';
import type { Answer, Connector, OutgoingMessage } from '../../connectors/connector.ts';
import { defaultCountry } from '../../intake/default-country.ts';
import { parseMessages } from '../../intake/parse-messages.ts';
import { ProblemError } from '../../message/error-codes.ts';
import type { MessageFields } from '../../message/fields.ts';
import type { PhoneCountry } from '../../message/phone-number.ts';
import type { Route } from '../../message/route.ts';
import { findRoute } from '../../store/control/routes.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import { noSuchRoute } from './route-fields.ts';

const bodyDefault = 'Test message';

const TestBody = Type.Object(
  {
    to: Type.String({ description: 'as the route’s channel demands' }),
    from: Type.Optional(Type.String()),
    body: Type.Optional(Type.String({ description: `"${bodyDefault}" when nothing else is to be sent` })),
    html: Type.Optional(Type.String()),
    subject: Type.Optional(Type.String()),
    payload: Type.Optional(Type.Unknown()),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    ref: Type.Optional(Type.String()),
    metadata: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false },
);

const TestAnswer = Type.Object({
  id: Type.String({ description: 'what the provider got as idempotency key; no message has it' }),
  result: Type.Enum(['sent', 'rejected', 'retry', 'uncertain'], {
    description: 'what the provider made of it: `retry` certainly did not send it, `uncertain` may have',
  }),
  providerRef: Type.Optional(Type.String()),
  error: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
  elapsedMs: Type.Integer({ description: 'from the opening of the connection to the answer' }),
});

/** Sends one message past storage, fairness and pace, so that a route can be tried before it is relied on. */
export function testRoute(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/routes/:name/test',
    {
      config: { scope: 'admin', errors: ['not_found'] },
      schema: {
        summary: 'Send one test message through a route',
        description:
          'At once, also when the route is paused, and once: what the provider says is the answer. It is no message of ' +
          'any account and is kept nowhere.',
        tags: ['routes'],
        params: Type.Object({ name: Type.String() }),
        body: TestBody,
        response: { 200: TestAnswer },
      },
    },
    async (request, reply) => {
      const { secrets } = context;
      const route = await findRoute(context.database, { name: request.params.name, secrets });
      if (!route) throw noSuchRoute();
      const connector = context.connectors.get(route.connector);
      if (!connector) throw new ProblemError('not_available', `there is no connector ${route.connector}`);
      const country = defaultCountry(context.control, request.caller.accountId);
      const fields = fieldsOf(request.body, { route, country });
      return idempotently(
        context,
        { request, reply },
        {
          reserve: () => ({ ids: [context.intake.newBatchId()] }),
          body: Buffer.from(JSON.stringify(request.body)),
          async work({ reservation }) {
            const id = reservation.ids[0]!;
            const { accountId } = request.caller;
            const message: OutgoingMessage = { id, key: id, accountId, attempt: 1, fields };
            return { status: 200, body: await send(message, { route, connector }) };
          },
        },
      );
    },
  );
}

/** Held to the rules for messages. @throws ProblemError `validation_failed` */
function fieldsOf(
  body: Static<typeof TestBody>,
  { route, country }: { route: Route; country: PhoneCountry | undefined },
): MessageFields {
  const empty = body.body === undefined && body.html === undefined && body.payload === undefined;
  const fields = { ...body, ...(empty && { body: bodyDefault }) };
  const bytes = Buffer.from(JSON.stringify(fields));
  const { messages, errors } = parseMessages(bytes, {
    accountId: 0,
    test: false,
    chooseRoute: () => route,
    country,
    templates: new Map(),
    times: { latestMs: Number.POSITIVE_INFINITY },
  });
  const [first] = errors;
  if (first) {
    const { code, detail } = first;
    throw new ProblemError('validation_failed', detail, { errors: [{ code, detail }] });
  }
  return { ...fields, to: messages[0]!.to };
}

async function send(
  message: OutgoingMessage,
  { route, connector }: { route: Route; connector: Connector },
): Promise<Static<typeof TestAnswer>> {
  const beganMs = performance.now();
  const sender = connector.open({ options: route.options, concurrency: 1 });
  try {
    const terms = { signal: new AbortController().signal, mayBegin: () => true };
    const [answer] = await sender.send([message], terms);
    return { id: message.id, ...shown(answer!), elapsedMs: Math.round(performance.now() - beganMs) };
  } finally {
    await sender.close();
  }
}

function shown(answer: Answer): Pick<Static<typeof TestAnswer>, 'result' | 'providerRef' | 'error'> {
  if (answer.kind !== 'sent') return { result: answer.kind, error: answer.error };
  return { result: 'sent', ...(answer.providerRef !== undefined && { providerRef: answer.providerRef }) };
}
