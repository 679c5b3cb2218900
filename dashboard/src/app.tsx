import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { keepLive } from './api/live.ts';
import { apiKey, caller } from './api/session.ts';
import { place } from './place.ts';
import { Frame } from './shell/frame.tsx';
import { Restoring } from './shell/restoring.tsx';
import { SignIn } from './shell/sign-in.tsx';
import { viewAt } from './views.tsx';

export function App(): JSX.Element {
  useEffect(keepLive, []);
  if (apiKey.value === null) return <SignIn />;
  if (caller.value === null) return <Restoring />;
  const { title, view } = viewAt(place.value);
  document.title = `${title} · Millrace`;
  return <Frame>{view}</Frame>;
}
