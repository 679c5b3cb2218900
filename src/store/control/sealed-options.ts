import type { SecretBox } from '../../lib/secret-box.ts';

/** Where a route's options are stored: sealed, or plain as before there was a key. */
export interface StoredOptions {
  name: string;
  connector: string;
  options: Record<string, unknown> | null;
  sealed_options: string | null;
}

/** All options of a connector as one secret: which of them hold credentials is the connector's to know. */
export function sealOptions(
  secrets: SecretBox,
  route: { name: string; connector: string; options: Record<string, unknown> },
): string {
  return secrets.seal(JSON.stringify(route.options), aboutOptions(route));
}

/** @throws SecretBoxError when no key here opens them. */
export function openOptions(secrets: SecretBox, row: StoredOptions): Record<string, unknown> {
  if (row.sealed_options === null) return row.options ?? {};
  return JSON.parse(secrets.open(row.sealed_options, aboutOptions(row)));
}

/** Options moved to another route, or read by another connector, do not open. */
function aboutOptions({ name, connector }: { name: string; connector: string }): string {
  return `route/${name}/${connector}`;
}
