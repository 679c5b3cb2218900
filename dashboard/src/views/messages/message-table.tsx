import type { JSX } from 'preact';
import type { Message } from '../../api/shapes.ts';
import { moment } from '../../format/time.ts';
import { StateMark } from '../../parts/state-mark.tsx';
import { Table } from '../../parts/table.tsx';
import { linkTo } from '../../place.ts';

export function MessageTable({ messages }: { messages: Message[] }): JSX.Element {
  return (
    <Table<Message>
      caption="Messages"
      rows={messages}
      keyOf={({ id }) => id}
      empty="No message was found."
      columns={[
        {
          name: 'To',
          show: ({ id, to }) => <a href={linkTo(['messages', id])}>{to === '' ? 'erased' : to}</a>,
          wide: true,
        },
        { name: 'State', show: ({ state }) => <StateMark state={state} /> },
        { name: 'Attempts', numeric: true, show: ({ attempts }) => String(attempts) },
        { name: 'Error', show: ({ error }) => (error ? <code>{error.code}</code> : '–') },
        { name: 'Reference', show: ({ ref }) => ref ?? '–' },
        { name: 'Route', show: ({ route }) => route },
        { name: 'Accepted', show: ({ createdAt }) => moment(createdAt) },
      ]}
    />
  );
}
