import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts';

export interface LostAnswers extends CuttingProxy {
  /** How many answers were lost so far. */
  lost(): number;
}

/** What of a client's is executed and not answered: the way it is sent, and how the last of its answer looks. */
export interface Unheard {
  isSent: (sent: Buffer) => boolean;
  isAnswered: (answered: Buffer) => boolean;
}

/** Statements before a COMMIT may be sent along with it, and answered one by one. */
export const commits: Unheard = {
  isSent: (sent) => sent.includes('COMMIT\0'),
  isAnswered: (answered) => answered.includes('COMMIT\0') || answered.includes('ROLLBACK\0'),
};

/**
 * A way to a database on which answers get lost: of what is `unheard` those that are `chosen` are executed, and when
 * their answer comes the connection is cut.
 */
export async function loseAnswers(
  databaseUrl: string,
  { unheard = commits, chosen }: { unheard?: Unheard; chosen: () => boolean },
): Promise<LostAnswers> {
  let count = 0;
  const proxy = await startCuttingProxy(databaseUrl, {
    isAnswer: unheard.isAnswered,
    judge(sent) {
      if (!unheard.isSent(sent) || !chosen()) return 'pass';
      count++;
      return 'cut when answered';
    },
  });
  return { ...proxy, lost: () => count };
}
