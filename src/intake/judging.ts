import type { Channel, MessageDefaults } from '../message/fields.ts';
import { limits } from '../message/limits.ts';
import type { PhoneCountry } from '../message/phone-number.ts';
import type { BegunUpload } from '../store/intake/uploads.ts';
import type { PackedSlot, PackSettings } from './pack-slot.ts';
import type { RawSlot } from './raw-slot.ts';
import type { Rejection } from './rejection.ts';
import { shareTemplates } from './shared-templates.ts';
import { templatesNow, type UploadTemplates } from './upload-templates.ts';

/** What of a batch its lines are judged by. */
export interface JudgedBatch
  extends Pick<BegunUpload, 'routeId' | 'test' | 'isPaid' | 'template' | 'params'>,
    Pick<BegunUpload, 'scheduledAt' | 'expiresAt' | 'orderingKey' | 'body'> {
  accountId: number;
}

/** Of a batch that is not made yet. */
export function judgedBatch(batch: {
  accountId: number;
  routeId: number;
  defaults: MessageDefaults;
}): JudgedBatch {
  const { accountId, routeId, defaults } = batch;
  const { scheduledAt, expiresAt, orderingKey, body, template, templatePin, params, test = false } = defaults;
  return {
    ...{ accountId, routeId, test, orderingKey, body, params },
    isPaid: false,
    scheduledAt: scheduledAt === undefined ? undefined : new Date(scheduledAt),
    expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
    template: template === undefined ? undefined : { name: template, pin: templatePin ?? Number.NaN },
  };
}

export interface JudgingSettings {
  pack: (slot: RawSlot, settings: PackSettings & { signal: AbortSignal }) => Promise<PackedSlot>;
  /** The channel of a route: it fixes what `to` may be. Rejects while the route is not known. */
  channelOf: (routeId: number) => Promise<Channel | undefined>;
  /** Where telephone numbers of an account are dialled that do not tell their country. */
  countryOf: (accountId: number) => PhoneCountry | undefined;
  templates: UploadTemplates;
  /** The database's time, and how far ahead of it a schedule may lie. */
  nowMs: () => number;
  scheduleAheadMs: number;
  /** Whether what is stored for the account is charged to its meter. */
  isMetered: (accountId: number) => boolean;
  /** Whether the SMS that its messages take are counted. */
  countsParts: (accountId: number) => boolean;
}

/** Judges the lines of one upload. */
export interface Judging {
  judge(slot: RawSlot, signal: AbortSignal): Promise<PackedSlot>;
  /** The batch says what it says by a template. */
  readonly isTemplated: boolean;
}

/** Whether the account is charged for what comes into the batch. */
export function isCharged(
  { isMetered }: Pick<JudgingSettings, 'isMetered'>,
  { accountId, test, isPaid }: Pick<JudgedBatch, 'accountId' | 'test' | 'isPaid'>,
): boolean {
  return !test && !isPaid && isMetered(accountId);
}

export async function openJudging(settings: JudgingSettings, batch: JudgedBatch): Promise<Judging> {
  const { accountId, test, template, params, orderingKey, body, scheduledAt, expiresAt } = batch;
  const channel = await settings.channelOf(batch.routeId);
  const ofBatch = template && (await settings.templates.ofBatch(template));
  const templates = templatesNow(settings.templates, accountId);
  const packSettings = (shared: PackSettings['templates']): PackSettings => {
    const charged = isCharged(settings, batch);
    return {
      ...{ accountId, test },
      batch: true,
      templates: shared,
      batchTemplate: ofBatch?.template,
      batchParams: params,
      orderingKey,
      linesOfMessages: charged,
      ...(charged && settings.countsParts(accountId) && { countParts: { body, template: ofBatch?.version } }),
      ...(channel && { channel }),
      country: settings.countryOf(accountId),
      times: {
        latestMs: settings.nowMs() + settings.scheduleAheadMs,
        scheduledAtMs: scheduledAt?.getTime(),
        expiresAtMs: expiresAt?.getTime(),
      },
    };
  };
  return {
    isTemplated: ofBatch !== undefined,
    async judge(slot, signal) {
      const judgedBy = packSettings(shareTemplates(await templates(slot)));
      return { ...(await settings.pack(slot, { ...judgedBy, signal })), judgedBy };
    },
  };
}

/** What was judged so far. */
export class Tally {
  accepted = 0;
  rejected = 0;
  /** The first rejections, `limits.errorsListedMax` at most. */
  readonly errors: Rejection[] = [];

  add({ count, keyed, rejected, firstRejections }: PackedSlot): void {
    this.accepted += count + (keyed?.lines.length ?? 0);
    this.rejected += rejected;
    const room = limits.errorsListedMax - this.errors.length;
    if (room > 0) this.errors.push(...firstRejections.slice(0, room));
  }
}
