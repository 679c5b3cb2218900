import type { JSX } from 'preact';

export function Brand(): JSX.Element {
  return (
    <span class="brand">
      <img src="./icon.svg" alt="" width="24" height="24" />
      Millrace
    </span>
  );
}
