import type { JSX } from 'preact';
import { can, isAdmin } from './api/session.ts';
import type { Place } from './place.ts';
import { AccountView } from './views/accounts/account-view.tsx';
import { AccountsView } from './views/accounts/accounts-view.tsx';
import { BatchView } from './views/batches/batch-view.tsx';
import { BatchesView } from './views/batches/batches-view.tsx';
import { FloodView } from './views/flood/flood-view.tsx';
import { MessageView } from './views/messages/message-view.tsx';
import { MessagesView } from './views/messages/messages-view.tsx';
import { RouteView } from './views/routes/route-view.tsx';
import { RoutesView } from './views/routes/routes-view.tsx';
import { SendView } from './views/send/send-view.tsx';
import { SuppressionsView } from './views/suppressions/suppressions-view.tsx';
import { TemplateView } from './views/templates/template-view.tsx';
import { TemplatesView } from './views/templates/templates-view.tsx';
import { WebhookView } from './views/webhooks/webhook-view.tsx';
import { WebhooksView } from './views/webhooks/webhooks-view.tsx';

interface Shown {
  title: string;
  view: JSX.Element;
}

/** The view of a place, as far as the key may see it. */
export function viewAt({ path, query }: Place): Shown {
  const [name = can('read') ? 'flood' : 'send', id] = path;
  if (name === 'send') return can('send') ? { title: 'Send', view: <SendView /> } : notAllowed('send');
  if (!can('read')) return notAllowed('read');
  switch (name) {
    case 'flood':
      return { title: 'Flood', view: <FloodView query={query} /> };
    case 'batches':
      return id === undefined
        ? { title: 'Batches', view: <BatchesView query={query} /> }
        : { title: 'Batch', view: <BatchView id={id} query={query} key={id} /> };
    case 'messages':
      return id === undefined
        ? { title: 'Messages', view: <MessagesView query={query} /> }
        : { title: 'Message', view: <MessageView id={id} key={id} /> };
    case 'routes':
      return id === undefined
        ? { title: 'Routes', view: <RoutesView query={query} /> }
        : { title: id, view: <RouteView name={id} key={id} /> };
    case 'templates':
      return id === undefined
        ? { title: 'Templates', view: <TemplatesView query={query} /> }
        : { title: id.trim(), view: <TemplateView name={id} key={id} /> };
    case 'suppressions':
      return { title: 'Suppressions', view: <SuppressionsView query={query} /> };
    case 'webhooks':
      return id === undefined
        ? { title: 'Webhooks', view: <WebhooksView /> }
        : { title: 'Webhook', view: <WebhookView id={id} key={id} /> };
    case 'accounts':
      if (!isAdmin.value) return notAllowed('admin');
      return id === undefined
        ? { title: 'Accounts', view: <AccountsView query={query} /> }
        : { title: 'Account', view: <AccountView id={id} key={id} /> };
    default:
      return { title: 'Not found', view: <h1>There is no such view.</h1> };
  }
}

function notAllowed(scope: string): Shown {
  return {
    title: 'Not allowed',
    view: (
      <p class="note warn">
        This needs a key with the scope <code>{scope}</code>.
      </p>
    ),
  };
}
