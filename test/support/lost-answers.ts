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

/** A statement that is a transaction by itself: few messages are stored so. */
const aloneName = 'insert_small_chunks';

/** ReadyForQuery of a connection that is in no transaction (PostgreSQL's protocol, 55.7). */
const readyOutside = 'Z\0\0\0\x05I';

/** Statements before a COMMIT may be sent along with it, and answered one by one. */
export const commits: Unheard = {
  isSent: (sent) => sent.includes('COMMIT\0') || sent.includes(aloneName),
  isAnswered: (answered) => answered.includes(readyOutside),
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
