import { acceptMessages } from '../../../intake/accept-messages.ts';
import { noRouteCodes, routeChooser } from '../../../intake/choose-route.ts';
import { parseMessages } from '../../../intake/parse-messages.ts';
import { type ErrorCode, type ErrorItem, ProblemError } from '../../../message/error-codes.ts';
import { messageIdAt, unixMsOf } from '../../../message/id.ts';
import { listKey } from '../../../message/lookup-hash.ts';
import type { ApiContext } from '../../context.ts';
import { type ClassicMessage, classicPartsOf } from './classic-message.ts';
import { ensureReports } from './ensure-reports.ts';
import { invalidField } from './read-fields.ts';
import { ClassicRefusal, classicCode } from './send-errors.ts';
import { unsaidDetail } from './unsaid-detail.ts';

/** The messages of an account that were sent through the classic API, each a chunk. */
export function classicList(accountId: number): bigint {
  return listKey('messagebird', accountId);
}

/**
 * Makes messages durable, each as one chunk of as many messages as it has recipients, all on one shard and in one
 * transaction. Answers the ids of the chunks.
 * @throws ProblemError `quota_exceeded` or `credit_exhausted` when the account may not send all of them: none is stored then
 */
export async function storeClassicMessages(
  context: ApiContext,
  { accountId, test, messages }: { accountId: number; test: boolean; messages: readonly ClassicMessage[] },
): Promise<string[]> {
  await requireRoute(context, { accountId, messages });
  const { groupCommit } = context.intake;
  const shard = groupCommit.currentShard();
  // All are judged before any is stored.
  const judged = messages.map((message) => {
    const chunkId = groupCommit.reserveChunkId(shard);
    return { chunkId, parsed: parse(context, { accountId, test, message, chunkId }) };
  });
  // Before them: what the feed tells of a message begins behind the key that signs it.
  if (messages.some(isReported)) await ensureReports(context, accountId);
  const all = judged.flatMap(({ parsed }) => parsed.messages);
  const bytes = all.reduce((sum, { line }) => sum + line.length, 0);
  const together = groupCommit.holdTogether({
    ...{ shard, bytes },
    count: judged.length,
    messages: all.length,
  });
  await Promise.all(
    judged.map(({ chunkId, parsed }) =>
      acceptMessages(groupCommit, {
        ...{ accountId, test, parsed },
        reservedIds: [messageIdAt(chunkId, parsed.messages.length - 1)],
        listKey: classicList(accountId),
        together,
      }),
    ),
  );
  return judged.map(({ chunkId }) => chunkId);
}

/**
 * The way of all messages is known before any is stored.
 * @throws ProblemError without a default route, ClassicRefusal for what the route cannot carry
 */
async function requireRoute(
  { control }: ApiContext,
  { accountId, messages }: { accountId: number; messages: readonly ClassicMessage[] },
): Promise<void> {
  const find = () => routeChooser(control, accountId)(undefined, messages[0]!.recipients[0]!);
  let found = find();
  if ('code' in found && noRouteCodes.has(found.code) && (await control.lookAgain())) found = find();
  if ('code' in found) throw new ProblemError(found.code as ErrorCode, found.detail);
  const route = control.routeById(found.id);
  if (!route) return;
  for (const { details } of messages) {
    const unsaid = unsaidDetail(details, route);
    if (unsaid)
      throw invalidField(
        unsaid,
        'cannot be obeyed: the route of the account does not tell its provider of it',
      );
  }
}

function parse(
  { control, intake }: ApiContext,
  {
    accountId,
    test,
    message,
    chunkId,
  }: { accountId: number; test: boolean; message: ClassicMessage; chunkId: string },
) {
  const parsed = parseMessages(Buffer.from(JSON.stringify(linesOf(message, chunkId))), {
    ...{ accountId, test },
    chooseRoute: routeChooser(control, accountId),
    templates: control.templatesOf(accountId),
    times: { latestMs: intake.latestScheduleMs() },
  });
  const [problem] = parsed.errors;
  if (problem) throw refusalOf(problem);
  const parts = intake.countsParts(accountId) ? classicPartsOf(message.body, message.details) : 1;
  const { reportUrl } = message;
  return {
    ...parsed,
    messages: parsed.messages.map((one) => ({ ...one, parts, line: withReportUrl(one.line, reportUrl) })),
  };
}

/** Behind the other fields, as it is none that a sender may give a message on any other way. */
function withReportUrl(line: Buffer, reportUrl: string | null): Buffer {
  if (reportUrl === null) return line;
  return Buffer.from(JSON.stringify({ ...JSON.parse(line.toString()), reportUrl }));
}

/** The classic API reported only messages with a reference. */
function isReported({ reference, reportUrl }: ClassicMessage): boolean {
  return reference !== null && reportUrl !== null;
}

/** The id carries the time of the database, from which the validity counts. */
function linesOf(message: ClassicMessage, chunkId: string): Record<string, unknown>[] {
  const { recipients, originator, body, reference, scheduledAt, details } = message;
  const { validity } = details;
  const startMs = Math.max(scheduledAt?.getTime() ?? 0, unixMsOf(chunkId));
  const fields = {
    from: originator,
    body,
    ...(reference !== null && { ref: reference }),
    metadata: { messagebird: details },
    ...(scheduledAt && { scheduledAt: scheduledAt.toISOString() }),
    ...(validity !== undefined && { expiresAt: new Date(startMs + validity * 1_000).toISOString() }),
  };
  return recipients.map((to) => ({ to, ...fields }));
}

/** The fields were judged before: what is left is between the recipients and the route, or the time and what is kept. */
function refusalOf({ code, detail }: ErrorItem): ClassicRefusal {
  const isRecipient = code === 'invalid_recipient';
  const parameter = isRecipient ? 'recipients' : detail.includes('scheduledAt') ? 'scheduledDatetime' : null;
  const description = isRecipient ? 'no (correct) recipients found' : detail;
  return new ClassicRefusal(422, [
    { code: isRecipient ? classicCode.missing : classicCode.invalid, description, parameter },
  ]);
}
