import type { JSX } from 'preact';
import { linkTo } from '../place.ts';

/** Pages go forward by a cursor; back is what the browser has. */
export function Pager(props: {
  path: string[];
  query: Record<string, string | undefined>;
  after: string | null;
  next: string | null;
}): JSX.Element | null {
  const { path, query, after, next } = props;
  if (after === null && next === null) return null;
  return (
    <nav class="pager" aria-label="Pages">
      {after !== null && <a href={linkTo(path, { ...query, after: undefined })}>First page</a>}
      {next !== null && <a href={linkTo(path, { ...query, after: next })}>Next page</a>}
    </nav>
  );
}
