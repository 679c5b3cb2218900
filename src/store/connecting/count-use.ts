import type { PoolUse } from '../database.ts';
import type { Connections } from './connections.ts';

/** The same connections, counted: however many hosts there are, and whichever of them is used. */
export function countUse(
  connections: Connections,
  max: number,
): { connections: Connections; use: () => PoolUse } {
  let busy = 0;
  let waiting = 0;
  return {
    use: () => ({ busy, waiting, max }),
    connections: {
      get limited() {
        return connections.limited;
      },
      async take() {
        waiting++;
        try {
          const client = await connections.take();
          busy++;
          return client;
        } finally {
          waiting--;
        }
      },
      giveBack(client, fault) {
        busy--;
        connections.giveBack(client, fault);
      },
      close: () => connections.close(),
    },
  };
}
