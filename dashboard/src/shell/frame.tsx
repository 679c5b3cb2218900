import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { can, isAdmin } from '../api/session.ts';
import { linkTo, place } from '../place.ts';
import { AccountNote } from './account-note.tsx';
import { Brand } from './brand.tsx';
import { StreamNote } from './stream-note.tsx';
import { TopBar } from './top-bar.tsx';
import { UploadNote } from './upload-note.tsx';

interface Entry {
  name: string;
  path: string;
  shown: () => boolean;
}

const entries: Entry[] = [
  { name: 'Flood', path: 'flood', shown: () => can('read') },
  { name: 'Send', path: 'send', shown: () => can('send') },
  { name: 'Batches', path: 'batches', shown: () => can('read') },
  { name: 'Messages', path: 'messages', shown: () => can('read') },
  { name: 'Routes', path: 'routes', shown: () => can('read') },
  { name: 'Templates', path: 'templates', shown: () => can('read') },
  { name: 'Suppressions', path: 'suppressions', shown: () => can('read') },
  { name: 'Webhooks', path: 'webhooks', shown: () => can('read') },
  { name: 'Accounts', path: 'accounts', shown: () => isAdmin.value },
];

/** What is around every view. */
export function Frame({ children }: { children: ComponentChildren }): JSX.Element {
  const [menu, setMenu] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { path } = place.value;
  const here = path.join('/');
  const before = useRef(here);

  // Another view is another page: it begins at its top, also for those who hear it.
  useEffect(() => {
    if (before.current === here) return;
    before.current = here;
    setMenu(false);
    scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [here]);

  return (
    <div class="frame">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class={menu ? 'rail shown' : 'rail'}>
        <div>
          <Brand />
          <nav aria-label="Views" id="views">
            <ul>
              {entries
                .filter(({ shown }) => shown())
                .map((entry) => (
                  <li key={entry.path}>
                    <a
                      href={linkTo([entry.path])}
                      {...((path[0] ?? 'flood') === entry.path && { 'aria-current': 'page' as const })}
                    >
                      {entry.name}
                    </a>
                  </li>
                ))}
            </ul>
          </nav>
        </div>
      </header>
      <div>
        <TopBar menu={menu} onMenu={() => setMenu(!menu)} />
        <main id="main" tabIndex={-1} ref={main}>
          <StreamNote />
          <UploadNote />
          <AccountNote />
          {children}
        </main>
      </div>
    </div>
  );
}
