import { Type } from 'typebox';
import { acceptMessages, reserveMessages } from '../../intake/accept-messages.ts';
import { noRouteCodes, routeChooser } from '../../intake/choose-route.ts';
import { countRenderedMessages } from '../../intake/count-rendered.ts';
import { defaultCountry } from '../../intake/default-country.ts';
import { type ParsedMessages, parseMessages } from '../../intake/parse-messages.ts';
import { ProblemError } from '../../message/error-codes.ts';
import { readBody, requirePlainJson } from '../body.ts';
import type { ApiContext, ApiInstance } from '../context.ts';
import { idempotently } from '../idempotency.ts';
import { mediaType } from '../upload-body.ts';
import { messagesSchema } from './message-schema.ts';

/** A thousand messages of 16 KiB: larger ones come in fewer requests, or as a batch. */
const bodyBytesMax = 16_777_216;

/** Takes one message or an array of up to 1,000, each with its own route; answers when they are durable. */
export function createMessages(app: ApiInstance, context: ApiContext): void {
  app.post(
    '/v1/messages',
    {
      config: {
        scope: 'send',
        bodies: {
          'application/json': {
            description: 'one message, or an array of up to 1,000',
            schema: messagesSchema(),
          },
        },
        errors: [
          'invalid_json',
          'payload_too_large',
          'unsupported_media_type',
          'validation_failed',
          'idempotency_key_reused',
          'quota_exceeded',
          'credit_exhausted',
          'overloaded',
        ],
      },
      schema: {
        summary: 'Send one message or a few',
        description: 'A bad element of an array does not spoil the others: it is listed under `errors`.',
        tags: ['messages'],
        querystring: Type.Object({}, { additionalProperties: false }),
        response: {
          202: Type.Object({
            messages: Type.Array(
              Type.Object({ id: Type.String(), to: Type.String(), state: Type.Literal('queued') }),
            ),
            errors: Type.Array(
              Type.Object({ index: Type.Integer(), code: Type.String(), detail: Type.String() }),
            ),
          }),
        },
      },
    },
    async (request, reply) => {
      const type = mediaType(request);
      if (type !== 'application/json') {
        throw new ProblemError('unsupported_media_type', 'send application/json');
      }
      requirePlainJson(request);
      const body = await readBody(request.body as never, { bytesMax: bodyBytesMax });
      const { accountId, test } = request.caller;
      const parsed = await parseKnown(context, { body, accountId, test });
      const { groupCommit, shedding } = context.intake;
      return await idempotently(
        context,
        { request, reply },
        {
          body,
          reserve: () => ({ ids: reserveMessages(groupCommit, parsed.messages) }),
          async work({ reservation, again, keyHash }) {
            // Only now: what an earlier try stored, or answered, does not change with the routes.
            if (parsed.messages.length === 0 && !(again && reservation.ids.length > 0))
              throw noneTaken(parsed);
            const accepted = await acceptMessages(groupCommit, {
              ...{ accountId, test, parsed },
              ...(keyHash !== undefined && { reservedIds: reservation.ids }),
              ...(!again && { shedding }),
            });
            return { status: 202, body: accepted };
          },
        },
      );
    },
  );
}

/** One look for the whole request, and parsed again only where that found something. */
async function parseKnown(
  { control, intake }: ApiContext,
  { body, accountId, test }: { body: Buffer; accountId: number; test: boolean },
): Promise<ParsedMessages> {
  const parse = () =>
    parseMessages(body, {
      ...{ accountId, test },
      chooseRoute: routeChooser(control, accountId),
      country: defaultCountry(control, accountId),
      templates: control.templatesOf(accountId),
      times: { latestMs: intake.latestScheduleMs() },
      countParts: !test && intake.countsParts(accountId),
    });
  const parsed = parse();
  const isLost = parsed.errors.some(({ code }) => noRouteCodes.has(code) || code === 'unknown_template');
  const known = isLost && (await control.lookAgain()) ? parse() : parsed;
  await countRenderedMessages(known.messages, { load: (ids) => control.templates.load(ids) });
  return known;
}

function noneTaken({ errors }: ParsedMessages): ProblemError {
  return new ProblemError('validation_failed', `No message can be taken: ${errors[0]!.detail}`, { errors });
}
