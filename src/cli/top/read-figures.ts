export interface Figures {
  /** Messages a second that this server took in; null at the first look. */
  acceptedPerSecond: number | null;
  /** Of 1,024: those of this server, and those of nobody. */
  ownedShards: number;
  shardsWithoutOwner: number | null;
  workers: number;
}

const timeoutMs = 5_000;

/** Reads /metrics of the server, which takes no key. Null where there is none, as behind some proxies. */
export function readFigures(url: string): () => Promise<Figures | null> {
  let before: { accepted: number; atMs: number } | undefined;
  return async () => {
    const page = await fetchText(`${url.replace(/\/+$/, '')}/metrics`);
    if (page === undefined || !page.includes('\nmillrace_')) return null;
    const now = { accepted: sumOf(page, 'millrace_messages_accepted_total') ?? 0, atMs: performance.now() };
    const seconds = before && (now.atMs - before.atMs) / 1_000;
    // A server that was started again, or another one behind a balancer, counts from zero.
    const perSecond = before && seconds ? Math.max(0, now.accepted - before.accepted) / seconds : null;
    before = now;
    return {
      acceptedPerSecond: perSecond === null ? null : Math.round(perSecond * 10) / 10,
      ownedShards: sumOf(page, 'millrace_owned_shards') ?? 0,
      shardsWithoutOwner: sumOf(page, 'millrace_shards_without_owner') ?? null,
      workers: sumOf(page, 'millrace_delivery_workers') ?? 0,
    };
  };
}

async function fetchText(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    return response.ok ? await response.text() : undefined;
  } catch {
    return undefined;
  }
}

/** Over all labels. */
function sumOf(page: string, name: string): number | undefined {
  const values = [...page.matchAll(new RegExp(`^${name}(?:\\{[^\\n]*\\})? (\\S+)$`, 'gm'))];
  return values.length === 0 ? undefined : values.reduce((sum, [, value]) => sum + Number(value), 0);
}
