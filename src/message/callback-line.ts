import type { MessageFields } from './fields.ts';

/**
 * Whom a callback tells of, by the events in its payload or as a status report (`src/events/callbacks/make-callbacks.ts` writes them): it
 * is found, and erased, by them as well. Empty for every other message.
 */
export function callbackPersons({ payload, report }: Pick<MessageFields, 'payload' | 'report'>): string[] {
  if (report !== undefined) return [report.to];
  const { type, data } = membersOf(payload);
  if (type === 'events' && Array.isArray(data)) return data.flatMap(callbackPerson);
  return callbackPerson(payload);
}

function callbackPerson(event: unknown): string[] {
  const { type, data } = membersOf(event);
  if (typeof type !== 'string' || !type.startsWith('message.')) return [];
  const { to } = membersOf(data);
  return typeof to === 'string' ? [to] : [];
}

function membersOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
