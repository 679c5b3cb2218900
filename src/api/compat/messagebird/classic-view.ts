import type { FastifyRequest } from 'fastify';
import { classicId } from '../../../message/classic-id.ts';
import { type ClassicStatus, classicStatusOf } from '../../../message/classic-status.ts';
import { unixMsOf } from '../../../message/id.ts';
import { callingCountryOf } from '../../../message/phone-country.ts';
import type { State } from '../../../message/state.ts';
import { type ClassicDetails, classicPartsOf } from './classic-message.ts';

/** A message of the classic API as it is known at a time. */
export interface SeenMessage {
  chunkId: string;
  originator: string | null;
  body: string | null;
  reference: string | null;
  reportUrl: string | null;
  scheduledAt: Date | null;
  details: ClassicDetails;
  recipients: SeenRecipient[];
}

export interface SeenRecipient {
  /** Null when it was erased. */
  to: string | null;
  state: State;
  /** When it came to that state; null when nothing has happened yet. */
  at: Date | null;
  error?: { code: string; detail: string | null };
}

/** The message object, of which a list and the answer to its creation show less of each recipient. */
export function showClassic(
  message: SeenMessage,
  { origin, nowMs, full = false }: { origin: string; nowMs: number; full?: boolean },
) {
  const { chunkId, originator, body, reference, reportUrl, scheduledAt, details } = message;
  const { type, datacoding, mclass, udh, validity = null } = details;
  const id = classicId(chunkId);
  const statuses = message.recipients.map((recipient) => statusOf(recipient, { scheduledAt, nowMs }));
  const count = (...wanted: ClassicStatus[]) => statuses.filter((status) => wanted.includes(status)).length;
  const parts = partsOf(message);
  return {
    id,
    href: `${origin}/messages/${id}`,
    direction: 'mt',
    type,
    originator,
    body,
    reference,
    reportUrl,
    validity,
    gateway: null,
    typeDetails: udh === undefined ? {} : { udh },
    datacoding,
    mclass,
    scheduledDatetime: scheduledAt && classicTime(scheduledAt),
    createdDatetime: classicTime(createdAt(message)),
    recipients: {
      totalCount: statuses.length,
      // Those that are on their way, in the words of the classic API.
      totalSentCount: count('sent', 'buffered'),
      totalDeliveredCount: count('delivered'),
      totalDeliveryFailedCount: count('delivery_failed', 'expired'),
      items: message.recipients.map((recipient, index) => ({
        recipient: numberOf(recipient.to),
        status: statuses[index]!,
        statusDatetime:
          statuses[index] === 'scheduled' ? null : classicTime(recipient.at ?? createdAt(message)),
        messagePartCount: parts.parts,
        ...(full && moreOf(recipient, { status: statuses[index]!, messageLength: parts.units })),
      })),
    },
  };
}

/** As it is reported, but for what is scheduled. */
export function statusOf(
  { state }: SeenRecipient,
  { scheduledAt, nowMs }: { scheduledAt: Date | null; nowMs: number },
): ClassicStatus {
  const waits = state === 'queued' && scheduledAt !== null && scheduledAt.getTime() > nowMs;
  return waits ? 'scheduled' : classicStatusOf(state);
}

/** Links lead to where the client reached this server. */
export function originOf(request: FastifyRequest): string {
  return `${request.protocol}://${request.headers.host ?? 'localhost'}`;
}

/** To the second, with the zone that the classic API writes. */
export function classicTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}+00:00`;
}

function createdAt({ chunkId }: SeenMessage): Date {
  return new Date(unixMsOf(chunkId));
}

/** What only the provider's receipts could tell is null. */
function moreOf(
  { to, state, error }: SeenRecipient,
  { status, messageLength }: { status: ClassicStatus; messageLength: number },
) {
  const country = to === null ? undefined : callingCountryOf(to);
  return {
    originator: null,
    recipientCountry: country?.name ?? null,
    recipientCountryPrefix: country?.prefix ?? null,
    recipientOperator: null,
    messageLength,
    statusErrorCode: null,
    statusReason: error ? (error.detail ?? error.code) : (reasons[status] ?? state),
    price: { amount: null, currency: null },
    mccmnc: null,
    mcc: null,
    mnc: null,
  };
}

const reasons: Partial<Record<ClassicStatus, string>> = {
  sent: 'pending DLR',
  delivered: 'successfully delivered',
};

/** Of a binary message the length is that of its bytes. */
function partsOf({ body, details }: SeenMessage): { parts: number; units: number } {
  const text = body ?? '';
  const units = details.type === 'binary' ? text.length / 2 : [...text].length;
  return { parts: classicPartsOf(text, details), units };
}

function numberOf(to: string | null): number | null {
  return to === null ? null : Number(to.slice(1));
}
