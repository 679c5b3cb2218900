import type { JSX } from 'preact';
import { actFor, actsFor } from '../api/session.ts';
import type { Account, Page } from '../api/shapes.ts';
import { usePolled } from '../api/use-polled.ts';

/** Whose things an administrator sees. More accounts than a list can hold are reached from the view of accounts. */
export function AccountChoice(): JSX.Element {
  const { data } = usePolled<Page<Account>>('v1/accounts?limit=200', { asSelf: true });
  const chosen = actsFor.value;
  const accounts = data?.data ?? [];
  const isListed = chosen === null || accounts.some(({ id }) => id === chosen);
  return (
    <label>
      <span>Account</span>
      <select value={chosen ?? ''} onChange={({ currentTarget }) => actFor(currentTarget.value || null)}>
        <option value="">all accounts</option>
        {!isListed && <option value={chosen}>account {chosen}</option>}
        {accounts.map(({ id, name }) => (
          <option value={id} key={id}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
