import type { JSX } from 'preact';
import { caller, isAdmin, signOut } from '../api/session.ts';
import { type Theme, theme } from '../theme.ts';
import { AccountChoice } from './account-choice.tsx';
import { StreamState } from './stream-state.tsx';

export function TopBar({ menu, onMenu }: { menu: boolean; onMenu: () => void }): JSX.Element {
  return (
    <div class="bar-top">
      <button type="button" class="menu-button" aria-expanded={menu} aria-controls="views" onClick={onMenu}>
        Menu
      </button>
      <StreamState />
      <span class="grow" />
      {isAdmin.value ? <AccountChoice /> : <span>{caller.value?.accountName}</span>}
      <label>
        <span>Theme</span>
        <select
          value={theme.value}
          onChange={({ currentTarget }) => {
            theme.value = currentTarget.value as Theme;
          }}
        >
          <option value="system">as the system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
      <button type="button" onClick={() => signOut()}>
        Sign out
      </button>
    </div>
  );
}
