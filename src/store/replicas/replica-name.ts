/** Where a replica is, for logs and figures: without name and password. */
export function replicaName(url: string): string {
  const { host, searchParams } = new URL(url);
  return host || (searchParams.get('host') ?? 'localhost');
}
