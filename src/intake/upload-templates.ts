import type { TemplateVersion } from '../message/templates/compile-template.ts';
import type { AccountTemplates } from '../message/templates/template.ts';
import type { CsvColumn } from './csv-header.ts';
import type { RawSlot } from './raw-slot.ts';
import type { BatchTemplate } from './template-check.ts';

/** Where uploads find templates. */
export interface UploadTemplates {
  /** What those of an account mean now. */
  of(accountId: number): AccountTemplates;
  /** The template that a batch has for all its lines, and its version; rejects while it cannot be loaded. */
  ofBatch(template: {
    name: string;
    pin: number;
  }): Promise<{ template: BatchTemplate; version: TemplateVersion }>;
  /** What was committed before the call is known when this resolves. */
  lookAgain(): Promise<unknown>;
}

/**
 * Gives the templates that a slot is judged by. One that another server has made, or changed, before the upload came to
 * the first line that names any is known by then.
 */
export function templatesNow(
  templates: UploadTemplates,
  accountId: number,
): (slot: RawSlot) => Promise<AccountTemplates> {
  let looked: Promise<unknown> | undefined;
  return async ({ bytes, columns }) => {
    if (!looked && (columns?.some(isTemplate) || asBuffer(bytes).includes('"template"'))) {
      looked = templates.lookAgain();
    }
    await looked;
    return templates.of(accountId);
  };
}

function isTemplate({ kind, name }: CsvColumn): boolean {
  return kind === 'text' && name === 'template';
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
