import { signal } from '@preact/signals';

/** Where one is: `#/batches/ID?state=failed`. Nothing secret is ever in it. */
export interface Place {
  path: string[];
  query: URLSearchParams;
}

export const place = signal<Place>(readPlace());

addEventListener('hashchange', () => {
  place.value = readPlace();
});

export function linkTo(path: readonly string[], query: Record<string, string | undefined> = {}): string {
  const entries = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const search = new URLSearchParams(entries).toString();
  return `#/${path.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`;
}

export function goTo(path: readonly string[], query: Record<string, string | undefined> = {}): void {
  location.hash = linkTo(path, query);
}

function readPlace(): Place {
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter((part) => part !== '');
  return { path: parts.map(decoded), query: new URLSearchParams(search) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
