import type { JSX } from 'preact';
import type { Message, Page } from '../../api/shapes.ts';
import { usePolled } from '../../api/use-polled.ts';
import { Section } from '../../parts/section.tsx';
import { MessageTable } from './message-table.tsx';

/** Requests to webhooks that tell of a message have its id as their reference, where they tell of one alone. */
export function CallbacksPart({ id }: { id: string }): JSX.Element | null {
  const read = usePolled<Page<Message>>(`v1/messages?${new URLSearchParams({ ref: id, limit: '25' })}`);
  const callbacks = read.data?.data.filter(({ route }) => route === 'callbacks') ?? [];
  if (callbacks.length === 0) return null;
  return (
    <Section title="Callbacks" aside="requests to webhooks that tell of it">
      <MessageTable messages={callbacks} />
    </Section>
  );
}
