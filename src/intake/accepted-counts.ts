/** Messages taken in by one account for one route, since they were first heard of. */
export interface AcceptedCount {
  accountId: number;
  routeId: number;
  accepted: number;
}

/** Beyond them the oldest is forgotten. */
const pairsMax = 10_000;

/** What this server has made durable, by account and route. */
export class AcceptedCounts {
  readonly #pairs = new Map<string, AcceptedCount>();

  note({ accountId, routeId }: { accountId: number; routeId: number }, accepted: number): void {
    const name = `${accountId}/${routeId}`;
    const known = this.#pairs.get(name);
    if (known) known.accepted += accepted;
    else {
      if (this.#pairs.size >= pairsMax) this.#pairs.delete(this.#pairs.keys().next().value!);
      this.#pairs.set(name, { accountId, routeId, accepted });
    }
  }

  /** By name of the pair. */
  counts(): Map<string, AcceptedCount> {
    return new Map([...this.#pairs].map(([name, count]) => [name, { ...count }]));
  }
}
