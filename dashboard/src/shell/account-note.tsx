import type { JSX } from 'preact';
import { actsFor, caller, isAdmin } from '../api/session.ts';
import { place } from '../place.ts';

/** What is of one account, also while an administrator has chosen none. */
const ofOneAccount = ['send', 'batches', 'messages', 'templates', 'suppressions', 'webhooks'];

/** Without a choice the flood is that of all accounts; these views are of the administrator's own. */
export function AccountNote(): JSX.Element | null {
  const view = place.value.path[0] ?? '';
  if (!isAdmin.value || actsFor.value !== null || !ofOneAccount.includes(view)) return null;
  return (
    <p class="note plain">
      {view === 'send' ? 'What is sent here is that of ' : 'These are those of '}
      <b>{caller.value?.accountName}</b>: choose another account above.
    </p>
  );
}
