import { isInteractive } from '../backlog/lane.ts';
import type { Destination } from './destination.ts';
import type { DestinationQueue } from './destination-queue.ts';

/** What was made of one limit of destinations, and could be. Where hosts have it each for itself, what the neediest one has. */
export interface DestinationUse {
  messages: number;
  /** Requests at once, at most. */
  requestsMax: number;
  /** Messages that wait for it. */
  waits: number;
  /** Interactive ones among them. */
  urgent: boolean;
}

/** What was used since the last call and what waits now, by `match`; those of which nothing is to be told are left out. */
export function takeDestinationUses(
  destinations: Iterable<Destination>,
  waiting: Iterable<DestinationQueue>,
): Map<string, DestinationUse> {
  const uses = new Map<string, DestinationUse>();
  const waits = new Map<Destination, number>();
  for (const queue of waiting) {
    const { destination, lane } = queue;
    const use = useOf(uses, destination);
    const messages = (waits.get(destination) ?? 0) + queue.length;
    waits.set(destination, messages);
    use.waits = Math.max(use.waits, messages);
    use.urgent ||= isInteractive(lane);
  }
  for (const destination of destinations) {
    const { messages, requestsMax } = destination.takeUse();
    if (messages === 0 && requestsMax === 0) continue;
    const use = useOf(uses, destination);
    use.messages = Math.max(use.messages, messages);
    use.requestsMax = Math.max(use.requestsMax, requestsMax);
  }
  return uses;
}

function useOf(uses: Map<string, DestinationUse>, { match }: Destination): DestinationUse {
  const use = uses.get(match) ?? { messages: 0, requestsMax: 0, waits: 0, urgent: false };
  uses.set(match, use);
  return use;
}
